# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prechecks of webhooks: those that nobody answers, and injectors that reach for Kubernetes' own namespaces.

Source: the Kubernetes API (a webhook that fails closed refuses what it cannot be asked about), and the outages that
users of Istio report of both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..kube.client import Object
from ..kube.resources import ENDPOINT_SLICE, MUTATING_WEBHOOKS, NAMESPACE, SERVICE, VALIDATING_WEBHOOKS
from .facts import SYSTEM_NAMESPACES
from .kinds import KINDS
from .precheck_facts import Facts
from .webhooks import hooks_of, is_istio, labels_of, revision_of_service, services_of
from .world import named

Trouble = Iterator[tuple[str, str]]

# Groups whose objects an installation writes, or whose Pods it makes.
_CONCERNED = frozenset(
    {
        "",
        "*",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apps",
        "autoscaling",
        "policy",
        "rbac.authorization.k8s.io",
        *(kind.resource.group for kind in KINDS),
    }
)
_SERVICE_NAME = "kubernetes.io/service-name"


def without_service(facts: Facts) -> Trouble:
    """Webhooks that fail closed and point to a Service that does not exist: they refuse everything that they match.

    The Service of the istiod that shall come is no trouble: it comes.
    """
    for found, hook, place, name in _closed(facts):
        comes = place == facts.target.namespace and revision_of_service(name) == facts.target.revision
        if not comes and facts.cluster.named(SERVICE, name, place) is None:
            yield (
                named(found),
                f"{hook['name']} calls the Service {place}/{name}, which does not exist, and fails closed",
            )


def without_endpoints(facts: Facts) -> Trouble:
    """The same with a Service behind which nothing is ready."""
    for found, hook, place, name in _closed(facts):
        if facts.cluster.named(SERVICE, name, place) and not _is_answered(facts, place, name):
            yield named(found), f"{hook['name']} calls the Service {place}/{name}, behind which nothing is ready"


def system_namespaces(facts: Facts) -> Trouble:
    """Injectors that match every Pod of a namespace without which the cluster does not work."""
    for place in sorted(SYSTEM_NAMESPACES):
        space = facts.cluster.named(NAMESPACE, place)
        labels = labels_of(space) if space else {}
        for found in facts.cluster.of(MUTATING_WEBHOOKS) if space else ():
            if any(hook.selects(labels, {}) for hook in hooks_of([found])):
                yield (
                    named(found),
                    f"it is asked for every Pod of {place}: without istiod none could start. Take the label off",
                )


def _closed(facts: Facts) -> Iterator[tuple[Object, Mapping[str, Any], str, str]]:
    """Webhooks that fail closed and concern what an installation writes; all of Istio's."""
    for found in [*facts.cluster.of(MUTATING_WEBHOOKS), *facts.cluster.of(VALIDATING_WEBHOOKS)]:
        for hook, place, name in services_of(found):
            if hook.get("failurePolicy", "Fail") == "Fail" and (is_istio(found) or _concerns(hook)):
                yield found, hook, place, name


def _concerns(hook: Mapping[str, Any]) -> bool:
    return any(_CONCERNED & {*(rule.get("apiGroups") or [])} for rule in hook.get("rules") or [])


def _is_answered(facts: Facts, place: str, name: str) -> bool:
    slices = [found for found in facts.cluster.of(ENDPOINT_SLICE, place) if labels_of(found).get(_SERVICE_NAME) == name]
    endpoints = (endpoint for found in slices for endpoint in found.get("endpoints") or [])
    return any((endpoint.get("conditions") or {}).get("ready", True) for endpoint in endpoints)
