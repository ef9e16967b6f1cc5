"""One fault at a time, as a table: the request that it is for, the work that is disturbed, and what may come of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .catalogue import FAULTS, PASSING
from .rules import Rule


@dataclass(frozen=True)
class Aim:
    """The request that a fault is for: the first that matches, or a later one."""

    id: str
    verb: str
    path: str
    dry_run: bool = False
    nth: int = 1

    def rule(self, fault: str) -> Rule:
        return Rule(FAULTS[fault], verb=self.verb, path=self.path, dry_run=self.dry_run, nth={self.nth})


AIMS = (
    Aim("discovery", "get", r"/apis/apps/v1$"),
    Aim("read", "get", r"virtualservices/changed"),
    Aim("read-of-nothing", "get", r"virtualservices/new"),
    Aim("read-to-delete", "get", r"virtualservices/old"),
    Aim("dry-run", "apply", r"virtualservices/changed", dry_run=True),
    Aim("update", "apply", r"virtualservices/changed"),
    Aim("create", "apply", r"virtualservices/new"),
    Aim("dry-run-delete", "delete", r"virtualservices/old", dry_run=True),
    Aim("delete", "delete", r"virtualservices/old"),
)
# What a set adds: its lock, and its parent before the first and after the last write of a member.
SET = "faults"
SET_AIMS = (
    Aim("lock-read", "get", r"/leases/"),
    Aim("lock", "create", r"/leases"),
    Aim("unlock", "delete", r"/leases/"),
    Aim("parent-read", "get", rf"configmaps/{SET}"),
    Aim("parent-read-again", "get", rf"configmaps/{SET}", nth=2),
    Aim("parent-widened", "apply", rf"configmaps/{SET}"),
    Aim("parent-exact", "apply", rf"configmaps/{SET}", nth=2),
    Aim("prune", "delete", r"virtualservices/old"),
)
# Where a client may rightly give up, with this code.
MAY_FAIL = {
    fault.name: "conflict" if fault.name == "409" else "unreachable"
    for fault in FAULTS.values()
    if fault not in PASSING
}
CASES, SET_CASES = (
    [(aim, name) for aim in aims for name, fault in FAULTS.items() if aim.verb in fault.verbs]
    for aims in (AIMS, SET_AIMS)
)
PLAN = {("update", "changed"), ("create", "new"), ("delete", "old")}


def wanted(namespace: str, changed: str = "after", new: str = "present", old: str = "absent") -> dict[str, Any]:
    """One object of each fate: unchanged (of a kind that has to be discovered, too), updated, created, deleted."""
    place = {"namespace": namespace}
    revision = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {"name": "same", **place}}
    return {
        "objects": [{**revision, "revision": 1, "data": {"a": "b"}}],
        "destination_rules": [{"name": "same", **place, "host": "reviews"}],
        "virtual_services": [
            {"name": "changed", **place, "hosts": [changed]},
            {"name": "new", **place, "hosts": ["new"], "state": new},
            {"name": "old", **place, "hosts": ["old"], "state": old},
        ],
    }


def wanted_in_set(namespace: str, changed: str = "after", other: str = "new") -> dict[str, Any]:
    """The same fates in a set: what is not named any more is pruned."""
    hosts = {"changed": changed, other: other}
    services = [{"name": name, "namespace": namespace, "hosts": [host]} for name, host in hosts.items()]
    return {"set": SET, "set_namespace": namespace, "prune": True, "virtual_services": services}


BEFORE = {"changed": ["before"], "old": ["old"]}
AFTER = {"changed": ["after"], "new": ["new"]}
