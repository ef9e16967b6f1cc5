"""The cluster that the tests talk to: the bed's, or the one that TESTBED_KUBECONFIG names."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from .rest import Rest

ROOT = Path(__file__).resolve().parents[3]
BED = ROOT / "tests" / "testbed" / "bed"
ISTIO = "1.29.1"


@dataclass(frozen=True)
class Cluster:
    """One API server. What an external cluster does not tell is empty."""

    kubeconfig: str
    bin: Path
    server: str = ""
    ca_file: str = ""
    ca_key_file: str = ""
    client_certificate_file: str = ""
    client_key_file: str = ""
    token_file: str = ""
    audit_log: str = ""
    # What other clusters of a lane reach: an address for a gateway, and the API server by the node's.
    gateway: str = ""
    kubeconfig_node: str = ""
    netns: str = ""
    program: Path = BED

    @property
    def token(self) -> str:
        return Path(self.token_file).read_text(encoding="utf-8").strip()

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What the bed's kubectl prints. Fails the test with what it complains about."""
        argv = [str(self.bin / "kubectl"), "--kubeconfig", self.kubeconfig, *arguments]
        result = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
        assert result.returncode == 0, f"kubectl {' '.join(arguments)}: {result.stderr}"
        return result.stdout

    def forward(self, name: str, node_port: int) -> int:
        """A port on this machine that leads to that port of the node of the lane's cluster of this name."""
        return int(bed("forward", name, str(node_port), program=self.program))

    @contextlib.contextmanager
    def shut_off(self, port: int) -> Iterator[None]:
        """Its Pods open no connection to that port of any other node for a moment; those that are open stay."""
        rule = ("FORWARD", "-p", "tcp", "--syn", "--dport", str(port), "-j", "REJECT", "--reject-with", "tcp-reset")
        subprocess.run(["nsenter", f"--net={self.netns}", "iptables", "-I", *rule], check=True)
        try:
            yield
        finally:
            subprocess.run(["nsenter", f"--net={self.netns}", "iptables", "-D", *rule], check=True)

    def stop_answering(self) -> None:
        """Its API server is gone for good; what it has told the nodes runs on."""
        folder = Path(self.audit_log).parent
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if process.joinpath("comm").read_text().strip() == "kube-apiserver" and process.joinpath(
                    "cwd"
                ).samefile(folder):
                    os.kill(int(process.name), signal.SIGKILL)

    @property
    def rest(self) -> Rest:
        """The server, asked without a process for each question."""
        return Rest.of(self.kubeconfig)

    def get(self, resource: str, name: str, namespace: str = "default") -> dict[str, Any]:
        """An object as the server has it, with who manages its fields."""
        return self.rest.get(self.rest.resource(resource).path(name, namespace))

    def objects(self, resources: str, namespace: str = "", labels: str = "") -> list[dict[str, Any]]:
        """The objects of kinds, with commas between them, in a namespace or in all."""
        kinds = map(self.rest.resource, resources.split(","))
        query = urlencode({"labelSelector": labels})
        return [
            {"apiVersion": kind.api_version, "kind": kind.kind, **item}
            for kind in kinds
            for item in self.rest.items(f"{kind.path('', namespace)}?{query}")
        ]

    def names(self, resource: str, namespace: str) -> set[str]:
        """Names of the objects of a kind in a namespace."""
        return {item["metadata"]["name"] for item in self.objects(resource, namespace)}

    def apply(self, *objects: dict[str, Any], manager: str = "kubectl") -> None:
        """Objects that somebody else makes, by server-side apply."""
        for item in objects:
            self.rest.apply(item, manager)

    def create(self, *objects: dict[str, Any]) -> None:
        """Objects that must not be there yet, as kubectl creates them."""
        for item in objects:
            path = self.rest.kind(item["apiVersion"], item["kind"]).path("", item["metadata"].get("namespace", ""))
            self.rest.create(f"{path}?fieldManager=kubectl-create", item)

    def create_namespace(self, name: str) -> None:
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def clear(self, resources: str, namespace: str = "", labels: str = "") -> None:
        """Delete the objects of kinds, at once: what holds them back is not waited for."""
        query = urlencode({"labelSelector": labels, "gracePeriodSeconds": 0, "propagationPolicy": "Background"})
        for kind in map(self.rest.resource, resources.split(",")):
            self.rest.send("DELETE", f"{kind.path('', namespace)}?{query}")

    def patch(self, resource: str, name: str, namespace: str, change: dict[str, Any]) -> None:
        """A merge patch, as a person does with kubectl: the field's manager is then `kubectl-patch`."""
        path = self.rest.resource(resource).path(name, namespace)
        self.rest.patch(path, change, fieldManager="kubectl-patch")

    def label(self, namespace: str, labels: Mapping[str, str | None]) -> None:
        """Labels of a namespace; those that are None go."""
        path = f"/api/v1/namespaces/{namespace}"
        self.rest.patch(path, {"metadata": {"labels": dict(labels)}}, fieldManager="kubectl-label")

    def status(self, resource: str, name: str, namespace: str, status: dict[str, Any]) -> None:
        """Written as its controller or the kubelet would."""
        self.patch(resource, f"{name}/status", namespace, {"status": status})


def bed(*arguments: str, program: Path = BED) -> str:
    """What the command of a bed prints, this checkout's unless told otherwise."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    argv = [str(program), *arguments]
    result = subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path})
    assert result.returncode == 0, f"bed {' '.join(arguments)}: {result.stderr}"
    return result.stdout


def cluster(lane: str, program: Path = BED) -> Cluster:
    """The first cluster of a lane. Fails when it is not up: starting it may take a cold machine many minutes."""
    status = json.loads(bed("status", "--json", program=program))
    if status["external"]:
        return Cluster(status["kubeconfig"], Path(status["bin"]))
    assert status["lanes"][lane]["up"], f"the bed is not up; start it by: tests/testbed/bed up --lane {lane}"
    return next(iter(_clusters(status["lanes"][lane], program).values()))


def _clusters(lane: Mapping[str, Any], program: Path) -> dict[str, Cluster]:
    names = [name for name in Cluster.__dataclass_fields__ if name not in ("bin", "program")]
    return {
        name: Cluster(bin=Path(facts["bin"]), program=program, **{key: facts[key] for key in names if key in facts})
        for name, facts in lane["clusters"].items()
    }


@contextlib.contextmanager
def _own_bed(lane: str, folder: Path, *options: str) -> Iterator[Path]:
    """The program of a bed of its own with a lane: empty whatever the developer's has, and gone afterwards."""
    testbed = folder / "tests" / "testbed"
    shutil.copytree(BED.parent, testbed, ignore=shutil.ignore_patterns("__pycache__"))
    program = testbed / "bed"
    try:
        bed("up", "--lane", lane, *options, program=program)
        yield program
    finally:
        run = Path(json.loads(bed("status", "--json", program=program))["bin"]).parent
        bed("down", program=program)
        shutil.rmtree(run, ignore_errors=True)
        run.with_name(f"{run.name}.lock").unlink(missing_ok=True)


@contextlib.contextmanager
def own_cluster(lane: str, folder: Path, *options: str) -> Iterator[Cluster]:
    """The first cluster of a lane of a bed of its own."""
    with _own_bed(lane, folder, *options) as program:
        yield cluster(lane, program=program)


@dataclass(frozen=True)
class Several:
    """Clusters side by side, and the network namespace from which all of them are reached by their own addresses."""

    clusters: Mapping[str, Cluster]
    switch: str


@contextlib.contextmanager
def own_clusters(folder: Path, count: int, *options: str) -> Iterator[Several]:
    """So many whole clusters of a bed of its own."""
    with _own_bed("cluster", folder, "--clusters", str(count), *options) as program:
        lane = json.loads(bed("status", "--json", program=program))["lanes"]["cluster"]
        yield Several(_clusters(lane, program), lane["switch_netns"])


@cache
def parts(*names: str) -> Mapping[str, Path]:
    """Where built parts of the bed lie: name, state and folder are what `bed build` prints of each."""
    rows = [line.split() for line in bed("build", *names).splitlines()]
    return {row[0]: Path(row[-1]) for row in rows if row and row[0] in names}
