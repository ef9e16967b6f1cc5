"""Names of what is measured. The suites fill these rows, the bars and the report read them."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One line of the report: what is done, and who does it."""

    phase: str
    tool: str

    def __str__(self) -> str:
        return f"{self.phase}: {self.tool}"


KUBECTL = "kubectl"
KAPP = "kapp"
CORE = "kubernetes.core"
OURS = "service_mesh.istio"
EMPTY = "empty playbook"
HELM = "helm"

FRESH = "fresh"
SECOND = "second run"
SECOND_MEMORY = "second run, memory"
CHANGES = "check of 10 changes"
FRESH_SCHEMA = "fresh, validate: schema"
LOOP = "second run in a loop"
VARIABLES = "second run from inventory variables"
MANY = "second run, many objects"
MANY_MEMORY = "second run, many objects, memory"
HOSTS = "second run on many hosts"
FLEET = "whole playbook, second run on many hosts"
# Where the memory of a phase was measured.
MEMORY_OF = {SECOND: SECOND_MEMORY, MANY: MANY_MEMORY}
TASK = "1 task and 10 empty ones"
TASKS = "11 tasks"
INSTALLED = "control plane, fresh"
PLANE = "control plane, second run"
