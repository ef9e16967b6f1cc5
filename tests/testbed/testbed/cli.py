"""The command line: which command was meant, and what it prints."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import api_lane, build, cluster_lane, forward, network, parts, status, teardown, tools
from .errors import BedError
from .layout import LANES, Bed, bed
from .progress import say

BUSY = "another command works on this bed: waiting for it"


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="bed", description="A real Kubernetes cluster and the parts of Istio on this machine."
    )
    commands = top.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="build what is missing and start a lane")
    down = commands.add_parser("down", help="take down a lane, or all of this bed")
    show = commands.add_parser("status", help="say what runs and where its files lie")
    make = commands.add_parser("build", help="build parts (without names: what a default cluster needs)")
    logs = commands.add_parser("logs", help="show the end of a component's log (without a name: which there are)")
    port = commands.add_parser(
        "forward", help="make a port of a cluster's node reachable on 127.0.0.1; prints the local port"
    )
    again = commands.add_parser("reset", help="throw everything away and start the same lanes afresh")
    env = commands.add_parser("env", help='print shell lines: eval "$(bed env)"')
    for command in (up, down, env, logs, again):
        command.add_argument("--lane", choices=LANES, default="api" if command is up else None)
    up.add_argument("--clusters", type=int, default=1, help="how many (lane cluster)")
    up.add_argument(
        "--network", choices=(network.FLAT, network.SEPARATE), default=network.FLAT, help="between clusters"
    )
    up.add_argument(
        "--istio", default=parts.DEFAULT_ISTIO, help="versions whose images are wanted, with commas between"
    )
    up.add_argument("--cni", action="store_true", help="the image of Istio's node agent, too")
    up.add_argument("--cloud", action="store_true", help="nodes have external addresses, as in a cloud")
    for command in (env, logs):
        command.add_argument("--cluster", help="which cluster of the lane")
    logs.add_argument("component", nargs="?")
    logs.add_argument("--lines", type=int, default=100)
    port.add_argument("cluster")
    port.add_argument("port", type=int, metavar="NODEPORT")
    show.add_argument("--json", action="store_true", help="for programs")
    make.add_argument("parts", nargs="*", metavar="PART", help=f"one or more of: {', '.join(parts.PARTS)}")
    make.add_argument("--all", action="store_true", help="everything, all versions of Istio")
    return top


def up(found: Bed, arguments: argparse.Namespace) -> None:
    if kubeconfig := status.external():
        say(f"{status.EXTERNAL} is set: {kubeconfig} is used, nothing is started")
        tools.provide(found, parts.API_PARTS)
        return
    with build.locked(found.lock, BUSY):
        start(found, arguments)


def start(found: Bed, arguments: argparse.Namespace) -> None:
    if arguments.lane == "api":
        start_api(found)
    else:
        istio = versions(arguments.istio)
        shape = cluster_lane.Shape(arguments.clusters, arguments.network, istio, arguments.cni, arguments.cloud)
        start_cluster(found, shape)


def start_api(found: Bed) -> None:
    tools.provide(found, parts.API_PARTS)
    if status.lane_status(found, "api")["up"]:
        say("lane api is up already")
        return
    teardown.down(found, "api")
    api_lane.up(found)


def start_cluster(found: Bed, shape: cluster_lane.Shape) -> None:
    running = status.lane_status(found, "cluster")
    if running["up"]:
        check_shape(running, shape)
    cluster_lane.require()
    tools.provide(found, parts.cluster_parts(shape.istio, cni=shape.cni))
    if running["up"]:
        cluster_lane.add_images(found, shape)
        say("lane cluster is up already")
        return
    teardown.down(found, "cluster")
    cluster_lane.up(found, shape)


def check_shape(running: dict[str, Any], shape: cluster_lane.Shape) -> None:
    """Another shape is never put in place of one that runs: somebody may be working on it."""
    has = (len(running["order"]), running["network"], running["cloud"])
    if has != (shape.clusters, shape.network, shape.cloud):
        cloud = ", in a cloud" if has[2] else ""
        raise BedError(
            f"lane cluster is up with {has[0]} cluster(s), network {has[1]}{cloud}; "
            "take it down first: bed down --lane cluster"
        )


def versions(text: str) -> tuple[str, ...]:
    found = tuple(text.split(","))
    for version in found:
        if version not in parts.ISTIO_VERSIONS:
            raise BedError(
                f"there is no recipe for Istio {version!r}; there is one for {', '.join(parts.ISTIO_VERSIONS)}"
            )
    return found


def down(found: Bed, arguments: argparse.Namespace) -> None:
    with build.locked(found.lock, BUSY):
        for lane in [arguments.lane] if arguments.lane else LANES:
            teardown.down(found, lane)


def show(found: Bed, arguments: argparse.Namespace) -> None:
    state = status.collect(found)
    print(json.dumps(state, indent=2) if arguments.json else status.text(state))


def make(found: Bed, arguments: argparse.Namespace) -> None:
    names = list(parts.PARTS) if arguments.all else arguments.parts or list(parts.default())
    took = build.ensure(found, names)
    print(build.table(found, names, took))


def logs(found: Bed, arguments: argparse.Namespace) -> None:
    folder = Path(status.pick(status.collect(found), arguments.lane, arguments.cluster)["logs"])
    known = sorted(path.stem for path in folder.glob("*.log"))
    if not arguments.component:
        print("\n".join(known))
    elif arguments.component not in known:
        raise BedError(f"there is no log of {arguments.component!r}; there are logs of {', '.join(known)}")
    else:
        print(
            "\n".join(
                (folder / f"{arguments.component}.log").read_text(errors="replace").splitlines()[-arguments.lines :]
            )
        )


def port(found: Bed, arguments: argparse.Namespace) -> None:
    node = status.pick(status.collect(found), "cluster", arguments.cluster)["node_address"]
    with build.locked(found.lock, BUSY):
        print(forward.ensure(found.cluster("cluster", arguments.cluster), node, arguments.port))


def again(found: Bed, arguments: argparse.Namespace) -> None:
    """A lane's shape is read before the lane is taken down."""
    with build.locked(found.lock, BUSY):
        for lane in [arguments.lane] if arguments.lane else LANES:
            if found.lane(lane).exists():
                shape = cluster_lane.recorded(found)
                teardown.down(found, lane)
                if lane == "api":
                    start_api(found)
                else:
                    start_cluster(found, shape)


def env(found: Bed, arguments: argparse.Namespace) -> None:
    print(status.exports(found, arguments.lane, arguments.cluster))


COMMANDS: dict[str, Callable[[Bed, argparse.Namespace], None]] = {
    "up": up,
    "down": down,
    "status": show,
    "build": make,
    "logs": logs,
    "forward": port,
    "reset": again,
    "env": env,
}


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(argv)
    try:
        COMMANDS[arguments.command](bed(), arguments)
    except BedError as error:
        print(f"bed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader, head perhaps, had enough; Python must not write to it at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
