"""A second run of a control plane writes nothing, says the audit log: every version of the bed in every shape.

Each version has a cluster of its own with a node, on which the shapes come and go. The agents of ambient mode select no
node: there is no image of ztunnel here, and no network that the other one could change.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from integration.support import bed
from integration.support.audit import Audit
from integration.support.bed import ROOT, Cluster
from integration.support.playbook import Played, Runner
from testbed.parts import ISTIO_VERSIONS

Options = dict[str, Any]
VALUES = ROOT / "tests" / "testbed" / "values" / "istiod.yaml"
NOWHERE = {"example.com/nowhere": "true"}
REVISION = "r1"
ALL = ["base", "istiod", "cni", "ztunnel"]


@dataclass(frozen=True)
class Shape:
    """How a control plane is installed, and the tags that point to it. `values` go over the bed's, by chart."""

    options: Mapping[str, Any]
    tags: Sequence[str] = ()
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


# The bed has no images without a shell, and no node whose network the agent of ambient mode could change.
PLAIN = {"global": {"variant": ""}}
NO_NODE = {"nodeSelectorTerms": [{"matchExpressions": [{"key": next(iter(NOWHERE)), "operator": "Exists"}]}]}
AGENT = {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": NO_NODE}}}
# What changes the node's own network comes last.
SHAPES: Mapping[str, Shape] = {
    "default": Shape({}),
    "revisioned": Shape({"revision": REVISION}),
    "two tags": Shape({"revision": REVISION}, ("stable", "canary")),
    "replicated": Shape({"high_availability": True}, values={"istiod": {"autoscaleEnabled": True}}),
    "cni": Shape({"components": ["base", "istiod", "cni"]}),
    "ambient": Shape({"components": ALL, "profile": "ambient"}, values={"istiod": PLAIN, "cni": AGENT}),
}


@dataclass(frozen=True)
class Site:
    """The cluster of one version, and where playbooks for it lie."""

    version: str
    cluster: Cluster
    folder: Path

    def control_plane(self, shape: Shape) -> Options:
        part = f"charts-{self.version}"
        components = shape.options.get("components", [])
        values = {name: value for name, value in self._values().items() if name in {"istiod", *components}}
        values = {name: {**content, **shape.values.get(name, {})} for name, content in values.items()}
        source = {"charts": {"directory": str(bed.parts(part)[part])}, "helm_binary": str(self.cluster.bin / "helm")}
        return {"version": self.version, **source, "values": values, **shape.options}

    def _values(self) -> Options:
        """The node agent is told where the node's programs look, which is a folder of the cluster's own."""
        node = Path(self.cluster.kubeconfig).parent
        return {
            "istiod": yaml.safe_load(VALUES.read_text(encoding="utf-8")),
            "cni": {"cniBinDir": str(node / "cni-plugins"), "cniConfDir": str(node / "cni")},
            "ztunnel": {"nodeSelector": NOWHERE},
        }

    def play(self, *tasks: Options) -> Played:
        return Runner(self.folder, {"kubeconfig": self.cluster.kubeconfig}).run(*tasks)

    def tasks(self, shape: Shape) -> list[Options]:
        plane: Options = {"name": "Control plane", "service_mesh.istio.control_plane": self.control_plane(shape)}
        tags = [{"tag": tag, "revision": REVISION} for tag in shape.tags]
        return [plane, *({"name": "Tag", "service_mesh.istio.revision_tag": tag} for tag in tags)]

    def remove(self, shape: Shape) -> Played:
        """All of it, so that the next shape finds an empty cluster."""
        tags = [{"tag": tag, "state": "absent", "force": True} for tag in shape.tags]
        gone = {"state": "absent", "components": ALL, "remove_crds": True, "remove_leftovers": True}
        plane = {**gone, **({"revision": REVISION} if "revision" in shape.options else {})}
        return self.play(
            *({"name": "Tag", "service_mesh.istio.revision_tag": tag} for tag in tags),
            {"name": "Control plane", "service_mesh.istio.control_plane": plane},
        )

    def wrong(self, shape: Shape) -> Iterator[str]:
        """What is not as it shall be with one shape."""
        audit = Audit(Path(self.cluster.audit_log))
        first = self.play(*self.tasks(shape))
        if first.rc or not all(result.changed for result in first.results):
            yield f"the first run: {first.output[-2000:]}"
            return
        mark = audit.mark()
        second = self.play(*self.tasks(shape))
        persisted = audit.persisted(mark)
        if second.rc or persisted or any(result.changed for result in second.results):
            yield f"the second run has persisted {persisted}: {second.output[-2000:]}"
        removed = self.remove(shape)
        if removed.rc:
            yield f"the removal: {removed.output[-2000:]}"


def campaign(skip: int = 0, versions: int = len(ISTIO_VERSIONS)) -> list[str]:
    """A line for each case, and what was wrong; of the versions so many, from the oldest on."""
    found = [problem for version in ISTIO_VERSIONS[skip : skip + versions] for problem in of_version(version)]
    wrong = [line for line in found if line]
    print(f"{len(found) - len(wrong)} passed, {len(wrong)} failed", flush=True)
    return wrong


def of_version(version: str) -> Iterator[str]:
    """What is wrong with each shape of a version, or an empty text."""
    with tempfile.TemporaryDirectory(prefix="second-run-") as name:
        folder = Path(name)
        with bed.own_cluster("cluster", folder, "--istio", version, "--cni") as cluster:
            for shape in SHAPES:
                started = time.monotonic()
                problem = "; ".join(Site(version, cluster, folder).wrong(SHAPES[shape]))
                verdict = "FAILED" if problem else "passed"
                print(f"{version} {shape}: {verdict} in {time.monotonic() - started:.0f} s {problem}", flush=True)
                yield f"{version} {shape}: {problem}" if problem else ""
