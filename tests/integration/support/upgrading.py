"""Upgrades from their start to their end by the playbooks, on a server without nodes, from any state of it on."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.service_mesh.istio.plugins.module_utils.kube.wait import NotReady

from . import bed
from .api import Api, Made
from .bed import ROOT, Cluster
from .etcd import State, Store
from .operations import Operations
from .playbook import Played, Runner
from .standins import MUTATING, RESTARTED, VALIDATING, Working, standing_in
from .workloads import Workload

PLACE, SPACES = "istio-system", ("shop", "pay")
FIRST, SECOND, THIRD = "1.28.3", "1.29.1", "1.31.0"
_OURS = "service_mesh.istio/"
_NAMESPACES = "/api/v1/namespaces"
_PATHS = (
    _NAMESPACES,
    *(f"/api/v1/{kind}" for kind in ("configmaps", "serviceaccounts", "services")),
    "/apis/apps/v1/deployments",
    "/apis/autoscaling/v2/horizontalpodautoscalers",
    "/apis/policy/v1/poddisruptionbudgets",
    *(
        f"/apis/rbac.authorization.k8s.io/v1/{kind}"
        for kind in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
    ),
    MUTATING,
    VALIDATING,
)
_CHANGING = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")
Objects = Mapping[str, Made]


@dataclass(frozen=True)
class Phase:
    """A playbook, with what it is told beside what all of the upgrade are."""

    playbook: str
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Way:
    """An upgrade: from what to what, and by which phases; the last one completes it."""

    name: str
    before: str
    after: str
    revision: str
    phases: tuple[Phase, ...]


_ALL = Phase("upgrade_shift", {"mesh_upgrade_percentage": 100})
_START, _COMPLETE, BACK = Phase("upgrade_start"), Phase("upgrade_complete"), Phase("rollback")
IN_PLACE = Way("in_place", FIRST, SECOND, "", (_START, _ALL, _COMPLETE))
BY_TAG = Phase("upgrade_shift", {"mesh_upgrade_tag": "prod"})
BY_REVISION = Way("revision", SECOND, THIRD, "1-31-0", (_START, _ALL, BY_TAG, _COMPLETE))


def charts(version: str) -> dict[str, str]:
    part = f"charts-{version}"
    return {"directory": str(bed.parts(part)[part])}


@dataclass
class Upgrading:
    """A server and its store, with everything that plays a cluster's other parts."""

    cluster: Cluster
    folder: Path
    working: Working
    way: Way

    def __post_init__(self) -> None:
        self.store, self._api = Store(self.cluster), Api(self.cluster)
        self._helm = str(bed.parts("helm")["helm"] / "bin" / "helm")
        self._charts = {version: charts(version) for version in (self.way.before, self.way.after)}

    def install(self) -> None:
        """The mesh as it is before: a default revision with a tag, and a workload for each of both names."""
        operations = Operations({"kubeconfig": self.cluster.kubeconfig})
        common = {
            "version": self.way.before,
            "namespace": PLACE,
            "charts": self._charts[self.way.before],
            "helm_binary": self._helm,
            "cluster_name": "Kubernetes",
        }
        # Its validator has nobody to answer it here, and is left failing open.
        with contextlib.suppress(NotReady):
            operations.run("control_plane", {**common, "components": ["base"], "wait_timeout": 0.0})
        operations.run("control_plane", {**common, "components": ["istiod"], "wait_timeout": 120.0})
        for space in SPACES:
            self.cluster.create_namespace(space)
            Workload(self.cluster, space).make("default", self.way.before)
        operations.run("revision_tag", {"tag": "prod", "revision": "default", "namespace": PLACE})
        operations.run("injection", {"namespaces": [{"name": "shop", "mode": "enabled"}]})
        self.cluster.kubectl("label", "namespace", "pay", "istio.io/rev=prod")

    def start(self, phase: Phase, kubeconfig: str = "", task: int = 0) -> tuple[subprocess.Popen[str], Path]:
        """The process of a playbook, held before one of its tasks if that is wanted; and the file that says so."""
        runner = Runner(Path(tempfile.mkdtemp(dir=self.folder)))
        variables = runner.folder / "group_vars" / "all.yml"
        variables.parent.mkdir()
        variables.write_text(json.dumps(self._variables(phase, kubeconfig or self.cluster.kubeconfig)), "utf-8")
        held = runner.folder / "held"
        env = {"ANSIBLE_CALLBACKS_ENABLED": "recorder,holder", "HOLDER_TASK": str(task), "HOLDER_FILE": str(held)}
        playbook = str(ROOT / "playbooks" / f"{phase.playbook}.yml")
        return runner.start(arguments=(playbook,), env=env), held

    def _variables(self, phase: Phase, kubeconfig: str) -> dict[str, Any]:
        way = self.way
        return {
            "mesh_kubeconfig": kubeconfig,
            "mesh_root_namespace": PLACE,
            "mesh_cluster_name": "Kubernetes",
            "mesh_control_plane_version": way.before,
            "mesh_control_plane_charts": self._charts[way.before],
            "mesh_control_plane_components": ["istiod"],
            "mesh_control_plane_helm_binary": self._helm,
            "mesh_control_plane_precheck": False,
            "mesh_control_plane_wait_timeout": 120.0,
            "mesh_upgrade_strategy": way.name,
            "mesh_upgrade_version": way.after,
            "mesh_upgrade_charts": self._charts[way.after],
            "mesh_upgrade_wait_timeout": 120.0,
            **({"mesh_upgrade_revision": way.revision} if way.revision else {}),
            **phase.more,
        }

    def play(self, phase: Phase, kubeconfig: str = "") -> Played:
        """A phase to its end."""
        process, _held = self.start(phase, kubeconfig)
        output, _ = process.communicate()
        return Played(process.returncode, output, ())

    def put_back(self, state: State) -> None:
        with self.working.resting():
            self.store.put_back(state)

    def stored(self) -> State:
        with self.working.resting():
            return self.store.state()

    def objects(self) -> Objects:
        """Webhooks, namespaces and whatever is ours, without what every write changes; and the proxies of Pods."""
        with self.working.resting():
            listed = {path: self._api.list(path)[0] for path in _PATHS}
            pods = self._api.list("/api/v1/pods")[0]
        kept = {
            f"{path.rpartition('/')[2]} {_name(item)}": _essence(item)
            for path, items in listed.items()
            for item in items
            if path in (_NAMESPACES, MUTATING, VALIDATING) or _is_ours(item)
        }
        return {**kept, **{f"proxy in {pod['metadata']['namespace']}": _proxy(pod) for pod in pods}}


def _name(item: Made) -> str:
    return "/".join(part for part in (item["metadata"].get("namespace"), item["metadata"]["name"]) if part)


def _entries(item: Made) -> list[Made]:
    return item["metadata"].get("managedFields") or []


def _is_ours(item: Made) -> bool:
    return any(entry["manager"].startswith(_OURS) for entry in _entries(item))


def _essence(item: Made) -> Made:
    metadata = {key: value for key, value in item["metadata"].items() if key not in _CHANGING}
    managers = [{**entry, "time": ""} for entry in _entries(item) if entry.get("subresource") != "status"]
    metadata["managedFields"] = sorted(managers, key=lambda entry: json.dumps(entry, sort_keys=True))
    rest = {key: value for key, value in item.items() if key not in ("metadata", "status")}
    if "clusterIP" in rest.get("spec", {}):
        rest["spec"] = {key: value for key, value in rest["spec"].items() if not key.startswith("clusterIP")}
    notes = rest.get("spec", {}).get("template", {}).get("metadata", {}).get("annotations", {})
    if RESTARTED in notes:
        notes[RESTARTED] = "at some time"
    return {"metadata": metadata, **rest}


def _proxy(pod: Made) -> Made:
    images = [container["image"] for container in pod["spec"]["containers"]]
    return {"revision": pod["metadata"]["annotations"]["istio.io/rev"], "images": images}


def difference(found: Objects, wanted: Objects) -> list[str]:
    """What is other than it should be, by name and first different part."""
    lines = [f"{name} is missing" for name in wanted if name not in found]
    lines += [f"{name} is too much" for name in found if name not in wanted]
    for name in wanted:
        if name in found and found[name] != wanted[name]:
            lines.append(f"{name}: {_first(found[name], wanted[name])}")
    return lines


def _first(found: Any, wanted: Any, path: str = "") -> str:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in sorted({*found, *wanted}):
            if found.get(key) != wanted.get(key):
                return _first(found.get(key), wanted.get(key), f"{path}.{key}")
    return f"{path} is {json.dumps(found)[:300]}, not {json.dumps(wanted)[:300]}"


def went_back(found: Objects, before: Objects, way: Way) -> list[str]:
    """What a roll-back has left other than before; a new control plane beside may stay, and restarts have been."""
    ours = {name: item for name, item in found.items() if not way.revision or way.revision not in name}
    restarted = tuple(f"deployments {space}/app" for space in SPACES)
    return [line for line in difference(ours, before) if not line.startswith(restarted)]


@contextlib.contextmanager
def upgrading(cluster: Cluster, folder: Path, way: Way) -> Iterator[Upgrading]:
    """A mesh before its upgrade, on a server where no other one is."""
    with standing_in(cluster, folder) as working:
        life = Upgrading(cluster, folder, working, way)
        life.install()
        yield life
