"""The command line: which command was meant, and what it prints."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence

from . import api_lane, build, parts, status, teardown, tools
from .errors import BedError
from .layout import LANES, Bed, bed
from .progress import say


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="bed", description="A real Kubernetes cluster and the parts of Istio on this machine.")
    commands = top.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="build what is missing and start a lane")
    down = commands.add_parser("down", help="take down a lane, or all of this bed")
    show = commands.add_parser("status", help="say what runs and where its files lie")
    make = commands.add_parser("build", help="build parts (without names: what a default cluster needs)")
    env = commands.add_parser("env", help='print shell lines: eval "$(bed env)"')
    for command in (up, down, env):
        command.add_argument("--lane", choices=LANES, default="api" if command is up else None)
    env.add_argument("--cluster", help="which cluster of the lane")
    show.add_argument("--json", action="store_true", help="for programs")
    make.add_argument("parts", nargs="*", metavar="PART", help=f"one or more of: {', '.join(parts.PARTS)}")
    make.add_argument("--all", action="store_true", help="everything, all versions of Istio")
    return top


def up(found: Bed, arguments: argparse.Namespace) -> None:
    if kubeconfig := status.external():
        say(f"{status.EXTERNAL} is set: {kubeconfig} is used, nothing is started")
        return
    with build.locked(found.lock, "another command works on this bed: waiting for it"):
        start(found, arguments)


def start(found: Bed, arguments: argparse.Namespace) -> None:
    if status.lane_status(found, arguments.lane)["up"]:
        say(f"lane {arguments.lane} is up already")
        return
    tools.provide(found, list(parts.API_PARTS), ())
    teardown.down(found, arguments.lane)
    api_lane.up(found)


def down(found: Bed, arguments: argparse.Namespace) -> None:
    with build.locked(found.lock, "another command works on this bed: waiting for it"):
        for lane in [arguments.lane] if arguments.lane else LANES:
            teardown.down(found, lane)


def show(found: Bed, arguments: argparse.Namespace) -> None:
    state = status.collect(found)
    print(json.dumps(state, indent=2) if arguments.json else status.text(state))


def make(found: Bed, arguments: argparse.Namespace) -> None:
    names = list(parts.PARTS) if arguments.all else arguments.parts or list(parts.default())
    took = build.ensure(found, names)
    print(build.table(found, names, took))


def env(found: Bed, arguments: argparse.Namespace) -> None:
    print(status.exports(found, arguments.lane, arguments.cluster))


COMMANDS: dict[str, Callable[[Bed, argparse.Namespace], None]] = {"up": up, "down": down, "status": show, "build": make, "env": env}


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(argv)
    try:
        COMMANDS[arguments.command](bed(), arguments)
    except BedError as error:
        print(f"bed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
