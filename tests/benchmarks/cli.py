"""The command: what to measure, how often, and where the tables go."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.service_mesh.istio.plugins.module_utils.task.operations.config import CONFIG
from benchmarks import machine, peers, report, server
from benchmarks.contenders import Contenders
from benchmarks.files import Files
from benchmarks.measure import Laboratory
from benchmarks.rounds import Measured, Rounds, State, say
from benchmarks.server import Mesh, Server, StateError
from benchmarks.suites import FULL, ON_A_CLUSTER, QUICK, SUITES, Kit, Scale
from integration.support.audit import Audit
from integration.support.bed import ROOT, Cluster
from testbed.errors import BedError

DOCUMENT = ROOT / "docs" / "performance.md"
# What of the caller's environment would change what is measured.
FOREIGN = ("K8S_AUTH_", "KUBE", "ANSIBLE_", "KAPP_", "HELM_", "PYTHON")


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


@dataclass(frozen=True)
class Bench:
    """One cluster, and what the suites on it are made with."""

    cluster: Cluster
    scale: Scale
    folder: Path
    collections: Path

    def kit(self, namespaces: tuple[str, ...]) -> Kit:
        files = self.folder / "files"
        files.mkdir()
        contenders = Contenders(Files(files), self.cluster)
        return Kit(contenders, self.scale, namespaces, peers.kapp(), frozenset(CONFIG.spec.options))

    def rounds(self, state: State) -> Rounds:
        own = environment(self.cluster, self.folder / "home", self.collections)
        return Rounds(Laboratory(self.folder, own, Audit(Path(self.cluster.audit_log))), state, self.scale.runs)

    def on_a_server(self, names: Sequence[str]) -> Measured:
        """The suites that need no more than an API server."""
        namespaces = tuple(f"bench-{number:02}" for number in range(self.scale.namespaces))
        kit = self.kit(namespaces)
        with server.namespaces(self.cluster, namespaces):
            return self.rounds(Server(self.cluster, namespaces)).run({name: SUITES[name](kit) for name in names})

    def on_a_cluster(self, names: Sequence[str]) -> Measured:
        """The suites that bring up control planes."""
        kit = self.kit(())
        return self.rounds(Mesh(self.cluster)).run({name: SUITES[name](kit) for name in names})


def measure(names: Sequence[str], scale: Scale) -> tuple[Measured, Mapping[str, str]]:
    """All the suites that were asked for, one sort of cluster after the other; and where that was."""
    say("kubernetes.core: unpacking it, if this is the first time")
    collections = peers.kubernetes_core()
    measured = Measured()
    facts: Mapping[str, str] = {}
    for running, run in ((server.running, Bench.on_a_server), (server.running_cluster, Bench.on_a_cluster)):
        wanted = [name for name in names if (name in ON_A_CLUSTER) == (run is Bench.on_a_cluster)]
        if not wanted:
            continue
        with running() as cluster, tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            facts = facts or machine.facts(cluster, collections)
            measured.include(run(Bench(cluster, scale, Path(folder), collections), wanted))
    return measured, facts


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(argv)
    scale = QUICK if arguments.quick else FULL
    scale = replace(scale, runs=arguments.runs or scale.runs)
    try:
        measured, facts = measure(arguments.only or list(SUITES), scale)
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
