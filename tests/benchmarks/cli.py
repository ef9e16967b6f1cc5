"""The command: what to measure, how often, and where the tables go."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ansible_collections.service_mesh.istio.plugins.module_utils.task.operations.config import CONFIG
from benchmarks import machine, peers, report, server
from benchmarks.contenders import Contenders
from benchmarks.files import Files
from benchmarks.measure import Laboratory
from benchmarks.rounds import Measured, Rounds, say
from benchmarks.server import Server, StateError
from benchmarks.suites import FULL, QUICK, SUITES, Kit, Scale
from integration.support.audit import Audit
from integration.support.bed import ROOT, Cluster
from testbed.errors import BedError

DOCUMENT = ROOT / "docs" / "performance.md"
# What of the caller's environment would change what is measured.
FOREIGN = ("K8S_AUTH_", "KUBE", "ANSIBLE_", "KAPP_")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        description="Measure this collection beside kubectl, kapp and kubernetes.core.",
        epilog=f"All of it in {FULL.runs} rounds or more is written to {DOCUMENT.relative_to(ROOT)}.",
    )
    top.add_argument("--only", action="append", choices=list(SUITES), help="a part of it; may be repeated")
    top.add_argument("--runs", type=int, help=f"rounds ({FULL.runs}; with --quick {QUICK.runs})")
    top.add_argument("--quick", action="store_true", help="few objects: shows that it works, measures nothing")
    return top


def environment(cluster: Cluster, home: Path, collections: Path) -> dict[str, str]:
    """The same for all: a home of their own, and the cluster by the variables that each knows."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(FOREIGN)}
    (home / "tmp").mkdir(parents=True)
    return {
        **inherited,
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "LC_ALL": "C.UTF-8",
        "KUBECONFIG": cluster.kubeconfig,
        "K8S_AUTH_KUBECONFIG": cluster.kubeconfig,
        "ANSIBLE_COLLECTIONS_PATH": f"{ROOT / '.venv' / 'collections'}{os.pathsep}{collections}",
        "ANSIBLE_LOCAL_TEMP": str(home / "ansible"),
        "ANSIBLE_REMOTE_TEMP": str(home / "remote"),
        "ANSIBLE_NOCOLOR": "1",
    }


def measure(cluster: Cluster, scale: Scale, names: Sequence[str], folder: Path, collections: Path) -> Measured:
    """All the suites that were asked for, on one API server."""
    namespaces = tuple(f"bench-{number:02}" for number in range(scale.namespaces))
    files = folder / "files"
    files.mkdir()
    kit = Kit(Contenders(Files(files), cluster), scale, namespaces, peers.kapp(), frozenset(CONFIG.spec.options))
    laboratory = Laboratory(folder, environment(cluster, folder / "home", collections), Audit(Path(cluster.audit_log)))
    with server.namespaces(cluster, namespaces):
        rounds = Rounds(laboratory, Server(cluster, namespaces), scale.runs)
        return rounds.run({name: SUITES[name](kit) for name in names})


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(argv)
    scale = QUICK if arguments.quick else FULL
    scale = replace(scale, runs=arguments.runs or scale.runs)
    try:
        say("kubernetes.core: unpacking it, if this is the first time")
        collections = peers.kubernetes_core()
        with server.running() as cluster, tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            facts = machine.facts(cluster, collections)
            measured = measure(cluster, scale, arguments.only or list(SUITES), Path(folder), collections)
    except (StateError, BedError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    text = report.document(measured, facts, scale)
    print(text)
    if measured.failures:
        print(f"These did not run:\n{report.failures(measured)}", file=sys.stderr)
    if scale.objects == FULL.objects and scale.runs >= FULL.runs and not arguments.only:
        DOCUMENT.write_text(text, encoding="utf-8")
        say(f"written to {DOCUMENT.relative_to(ROOT)}")
    return 1 if measured.failures else 0
