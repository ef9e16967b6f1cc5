"""One fault at a time, as a table: the request that it is for, the work that is disturbed, and what may come of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .catalogue import FAULTS, PASSING
from .rules import Rule


@dataclass(frozen=True)
class Aim:
    """The request that a fault is for: the first that matches."""

    id: str
    verb: str
    path: str
    dry_run: bool = False

    def rule(self, fault: str) -> Rule:
        return Rule(FAULTS[fault], verb=self.verb, path=self.path, dry_run=self.dry_run, nth={1})


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
# Where a client may rightly give up, with this code.
MAY_FAIL = {
    fault.name: "conflict" if fault.name == "409" else "unreachable"
    for fault in FAULTS.values()
    if fault not in PASSING
}
CASES = [(aim, name) for aim in AIMS for name, fault in FAULTS.items() if aim.verb in fault.verbs]
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


BEFORE = {"changed": ["before"], "old": ["old"]}
AFTER = {"changed": ["after"], "new": ["new"]}
