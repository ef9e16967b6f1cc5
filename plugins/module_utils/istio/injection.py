# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which namespaces get sidecars: two labels, of which only one may be set.

Labels are all that is ever owned of a namespace. Setting one label removes the
one that would contradict it, whoever has set that.
Source: the selectors of Istio's injection webhooks (istio-discovery, mutatingwebhook.yaml).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..kube.errors import Failure
from ..reconcile.objects import Desired, label_paths
from .facts import INJECTION_LABEL, MANAGER_PREFIX, REVISION_LABEL, SYSTEM_NAMESPACES
from .webhooks import DEFAULT_REVISION

MANAGER = f"{MANAGER_PREFIX}injection"
ENABLED, DISABLED, CLEAR = "enabled", "disabled", "clear"
NAMESPACE_MODES = (ENABLED, DISABLED, CLEAR)


_CONTRADICTIONS = {
    ENABLED: "'enabled' is injection by the default control plane, so the two contradict each other",
    DISABLED: "a revision injects, so the two contradict each other",
    CLEAR: "a revision is a label, and 'clear' removes it",
}


class InjectionError(Failure):
    """The namespace cannot be labelled as asked."""

    code = "injection"


@dataclass(frozen=True)
class NamespaceInjection:
    """What a namespace shall have: a mode, or a revision (or tag) to be injected by."""

    name: str
    mode: str = ENABLED
    revision: str | None = None
    create: bool = False

    @property
    def asked(self) -> str:
        """In words."""
        return f"revision '{self.revision}'" if self.revision else f"mode '{self.mode}'"

    def of(self, name: str) -> NamespaceInjection:
        """The same for another namespace."""
        return replace(self, name=name)


def namespace_injection(name: str, mode: str | None, revision: str | None, create: bool) -> NamespaceInjection:
    """A checked request. Raises InjectionError for what can never be right."""
    if name in SYSTEM_NAMESPACES:
        raise InjectionError(
            f"The namespace '{name}' is never injected",
            subject=f"Namespace {name}",
            reason="istiod ignores Kubernetes' own namespaces",
            hint="Remove it from the list",
        )
    if revision and mode and (mode, revision) != (ENABLED, DEFAULT_REVISION):
        raise InjectionError(
            f"The namespace '{name}' has mode '{mode}' and revision '{revision}'",
            subject=f"Namespace {name}",
            reason=_CONTRADICTIONS[mode],
            hint="Keep one of them",
        )
    return NamespaceInjection(name, mode or ENABLED, revision, create)


def desired_namespace(wanted: NamespaceInjection) -> Desired:
    """The namespace with the label it shall have, and the labels it shall not have."""
    if wanted.mode == CLEAR:
        labels: dict[str, str] = {}
    elif wanted.revision:
        labels = {REVISION_LABEL: wanted.revision}
    else:
        labels = {INJECTION_LABEL: wanted.mode}
    unwanted = label_paths(*(label for label in (INJECTION_LABEL, REVISION_LABEL) if label not in labels))
    metadata = {"name": wanted.name, **({"labels": labels} if labels else {})}
    return Desired(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}, f"namespace {wanted.name}", unwanted
    )
