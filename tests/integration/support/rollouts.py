"""Meshes for rollouts on a server without nodes: namespaces have moved to a new revision, and their Pods have not."""

from __future__ import annotations

import random
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .bed import Cluster
from .operations import Operations
from .playbook import Runner
from .revisions import Revisions
from .rollers import Rollers

OLDER, NEWER = "1.29.1", "1.31.0"
ROOT = "rollouts"


def install(cluster: Cluster, charts: Path) -> str:
    """A root namespace with two control planes."""
    cluster.create_namespace(ROOT)
    older = Revisions(cluster, charts, ROOT)
    older.install("r1")
    replace(older, version=NEWER).install("r2")
    return ROOT


@dataclass
class Mesh:
    """Two control planes, and namespaces of a test's own."""

    rollers: Rollers
    operations: Operations
    cluster: Cluster
    root: str

    @classmethod
    def made(cls, cluster: Cluster, root: str, names: Sequence[str] = ("cart", "shop")) -> Mesh:
        own = f"test-{uuid.uuid4().hex[:8]}"
        spaces = [f"{own}-{letter}" for letter in ("a", "b", "c")]
        rollers = Rollers(cluster.rest, spaces, {"r1": OLDER, "r2": NEWER})
        rollers.make(names, "r1")
        rollers.label("r2")
        return cls(rollers, Operations({"kubeconfig": cluster.kubeconfig}), cluster, root)

    @property
    def spaces(self) -> list[str]:
        return list(self.rollers.namespaces)

    def options(self, **more: Any) -> dict[str, Any]:
        return {"namespaces": self.spaces, "namespace": self.root, "wait_timeout": 2.0, **more}

    def run(self, *, check: bool = False, lines: list[str] | None = None, **options: Any) -> dict[str, Any]:
        said = [] if lines is None else lines
        return self.operations.run("sidecar_rollout", self.options(**options), check=check, progress=said.append)

    def waves(self, **of_first: Any) -> list[dict[str, Any]]:
        return [
            {"name": "one", "namespaces": self.spaces[:1], **of_first},
            {"name": "two", "namespaces": self.spaces[1:2]},
            {"name": "rest"},
        ]


def killed(mesh: Mesh, runner: Runner, chance: random.Random) -> list[str]:
    """A playbook is killed at a random moment of its rollout; what is wrong after the next run."""
    mesh.rollers.delay = 0.2
    task = {"name": "Killed", "service_mesh.istio.sidecar_rollout": mesh.options(waves=mesh.waves(), wait_timeout=60.0)}
    with mesh.rollers.rolling() as rollers:
        process = runner.start(task)
        deadline = time.monotonic() + 180
        while not rollers.restarts and process.poll() is None:
            assert time.monotonic() < deadline, "the playbook has not come to its first restart"
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 2.0))
        process.kill()
        process.communicate()
        before = len(rollers.restarts)
        done = mesh.run(waves=mesh.waves(), wait_timeout=60.0)
        twice = [place for place, times in Counter(rollers.restarts).items() if times > 1]
    again = mesh.run(waves=mesh.waves())
    return [
        *(f"killed after {before}: {place} has restarted twice" for place in twice),
        *(
            f"killed after {before}: {place} has a proxy of {one}"
            for place, one in rollers.proxies().items()
            if one != "r2"
        ),
        *(
            [f"killed after {before}: the next run ends as {done['rollout']['state']}"]
            if done["rollout"]["state"] != "done"
            else []
        ),
        *([f"killed after {before}: a third run changes something"] if again["changed"] else []),
    ]
