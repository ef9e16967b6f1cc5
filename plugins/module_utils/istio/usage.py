# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who uses a revision: all that would notice if it went away.

A superset of the rule of the Sail operator (pkg/revision/references.go), which looks at namespaces, Pods and its own
tags: here are also workloads without Pods, Jobs and CronJobs, gateways and waypoints of the Gateway API
(pkg/revisions/tag_watcher.go), tags and validators, configuration that is for one revision, cni and ztunnel.
What refers to a tag uses the revision of the tag.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..kube.client import Object
from ..kube.resources import (
    DAEMON_SET,
    DEPLOYMENT,
    KUBERNETES,
    MUTATING_WEBHOOKS,
    NAMESPACE,
    POD,
    STATEFUL_SET,
    VALIDATING_WEBHOOKS,
    Resource,
)
from .default_tag import is_deactivated, is_default_injector
from .facts import INJECT_LABEL, INJECTION_LABEL, REVISION_LABEL, TAG_LABEL
from .kinds import KINDS
from .snapshot import Ask, Snapshot
from .webhooks import (
    DEFAULT_REVISION,
    DEFAULT_VALIDATOR,
    annotations_of,
    injects_by_default,
    labels_of,
    revision_of_service,
    services_of,
    tags_of,
)

JOB = KUBERNETES["batch/v1", "Job"]
CRON_JOB = KUBERNETES["batch/v1", "CronJob"]
API_GATEWAY = Resource("gateway.networking.k8s.io/v1", "Gateway", "gateways")
SAIL_TAG = Resource("sailoperator.io/v1", "IstioRevisionTag", "istiorevisiontags", namespaced=False)
WORKLOADS = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET, JOB, CRON_JOB)
_CLASSES = "istio"  # every class of istiod's begins so: istio, istio-remote, istio-waypoint, istio-east-west
_NODE_AGENTS = ("ztunnel", "istio-cni-node")
_SHOWN = 50
INJECTED = "injected by it"  # what it is, whatever its labels ask for today

USAGE_ASKS = (
    Ask(NAMESPACE),
    Ask(POD),
    *(Ask(workload) for workload in WORKLOADS),
    Ask(API_GATEWAY),
    Ask(SAIL_TAG),
    *(Ask(kind.resource, labels=REVISION_LABEL) for kind in KINDS),
)


@dataclass(frozen=True)
class Use:
    """Something that refers to a revision, by the name of it or of a tag."""

    name: str
    kind: str
    namespace: str
    object: str
    how: str

    def __str__(self) -> str:
        return f"{self.kind} {'/'.join(part for part in (self.namespace, self.object) if part)}"


def users_of(snapshot: Snapshot, revision: str) -> list[Use]:
    """All that uses one revision."""
    return uses(snapshot).get(revision, [])


def users_by_name(snapshot: Snapshot, name: str) -> list[Use]:
    """All that refers to a tag, or to a revision by its own name."""
    return [use for use in dict.fromkeys(_references(snapshot)) if use.name == name]


def uses(snapshot: Snapshot) -> dict[str, list[Use]]:
    """All that is used, by revision; a name that is no revision and no tag is there as well."""
    tags = tags_of(snapshot.of(MUTATING_WEBHOOKS))
    planes = revisions(snapshot)
    asked = planes - {DEFAULT_REVISION} if _is_taken_over(snapshot, tags) else planes
    found: dict[str, list[Use]] = {}
    for use in dict.fromkeys(_references(snapshot)):
        for revision in _meant(use.name, tags, planes if _is_exact(use) else asked):
            found.setdefault(revision, []).append(use)
    return found


def revisions(snapshot: Snapshot) -> set[str]:
    """The revisions that have a control plane."""
    return {labels_of(found).get(REVISION_LABEL, DEFAULT_REVISION) for found in istiods(snapshot)}


def istiods(snapshot: Snapshot) -> list[Object]:
    return [found for found in snapshot.of(DEPLOYMENT) if labels_of(found).get("app") == "istiod"]


def counted(found: Sequence[Use]) -> dict[str, int]:
    """How many of each kind."""
    return dict(sorted(Counter(use.kind for use in found).items()))


def told(found: Sequence[Use]) -> list[dict[str, Any]]:
    """The first of them, for a result."""
    return [
        {"kind": use.kind, "namespace": use.namespace, "name": use.object, "how": use.how} for use in found[:_SHOWN]
    ]


def _is_taken_over(snapshot: Snapshot, tags: Mapping[str, set[str]]) -> bool:
    """Whether who asks for the default one gets the revision of the tag `default`, and nobody else's proxy."""
    injectors = [found for found in snapshot.of(MUTATING_WEBHOOKS) if is_default_injector(found)]
    return DEFAULT_REVISION in tags and all(map(is_deactivated, injectors))


def _is_exact(use: Use) -> bool:
    """Whether it names a revision itself, never a tag: what an injector has written, and what webhooks lead to."""
    return use.how == INJECTED or use.kind in (MUTATING_WEBHOOKS.kind, VALIDATING_WEBHOOKS.kind)


def _meant(name: str, tags: Mapping[str, set[str]], planes: set[str]) -> set[str]:
    """A name that is a tag and a revision is taken for both: too much is safe, too little is not."""
    return {*tags.get(name, ()), *({name} if name in planes or name not in tags else ())}


def _references(snapshot: Snapshot) -> Iterator[Use]:
    names = {found["metadata"]["name"]: named_by(labels_of(found)) for found in snapshot.of(NAMESPACE)}
    yield from _namespaces(snapshot)
    yield from _pods(snapshot, names)
    yield from _workloads(snapshot, names)
    yield from _gateways(snapshot)
    yield from _tags(snapshot)
    yield from _validators(snapshot)
    yield from _configuration(snapshot)
    yield from _node_agents(snapshot)


def named_by(labels: Mapping[str, str]) -> str:
    """What a namespace refers to."""
    if labels.get(INJECTION_LABEL) == "enabled":
        return DEFAULT_REVISION
    return labels.get(REVISION_LABEL, "")


def _use(name: str, found: Object, how: str) -> Use:
    return Use(name, found["kind"], found["metadata"].get("namespace") or "", found["metadata"]["name"], how)


def _namespaces(snapshot: Snapshot) -> Iterator[Use]:
    for found in snapshot.of(NAMESPACE):
        name = named_by(labels_of(found))
        if name:
            label = INJECTION_LABEL if labels_of(found).get(INJECTION_LABEL) == "enabled" else REVISION_LABEL
            yield _use(name, found, f"label {label}")


def _pods(snapshot: Snapshot, namespaces: Mapping[str, str]) -> Iterator[Use]:
    """What really runs with a proxy of the revision, and what asks for one by its own labels."""
    for pod in snapshot.of(POD):
        injected = annotations_of(pod).get(REVISION_LABEL)
        if injected and (pod.get("status") or {}).get("phase") != "Succeeded":
            yield _use(injected, pod, INJECTED)
        yield from _by_own_labels(pod, labels_of(pod), namespaces)


def _workloads(snapshot: Snapshot, namespaces: Mapping[str, str]) -> Iterator[Use]:
    """What would make Pods with a proxy of the revision, whether it has any now or not."""
    for resource in WORKLOADS:
        for found in snapshot.of(resource):
            labels = labels_of(_template(found))
            of_namespace = namespaces.get(found["metadata"]["namespace"], "")
            if _is_finished(found) or labels.get(INJECT_LABEL) == "false":
                continue
            if of_namespace:
                yield _use(of_namespace, found, "by the label of its namespace")
            yield from _by_own_labels(found, labels, namespaces)


def _by_own_labels(found: Object, labels: Mapping[str, str], namespaces: Mapping[str, str]) -> Iterator[Use]:
    """Labels of a Pod count where the namespace has none."""
    if namespaces.get(found["metadata"]["namespace"], "") or labels.get(INJECT_LABEL) == "false":
        return
    if labels.get(REVISION_LABEL):
        yield _use(labels[REVISION_LABEL], found, f"label {REVISION_LABEL} of its Pods")
    elif labels.get(INJECT_LABEL) == "true":
        yield _use(DEFAULT_REVISION, found, f"label {INJECT_LABEL} of its Pods")


def _template(found: Object) -> Mapping[str, Any]:
    spec = found["spec"]
    template = spec["jobTemplate"]["spec"]["template"] if found["kind"] == CRON_JOB.kind else spec["template"]
    return {**template, "metadata": template.get("metadata") or {}}


def _is_finished(found: Object) -> bool:
    conditions = (found.get("status") or {}).get("conditions") or []
    over = any(one["type"] in ("Complete", "Failed") and one["status"] == "True" for one in conditions)
    return bool(found["kind"] == JOB.kind) and over


def is_istios(gateway: Object) -> bool:
    """Whether a gateway of the Gateway API is one that istiod deploys."""
    return str(gateway["spec"].get("gatewayClassName")).startswith(_CLASSES)


def _gateways(snapshot: Snapshot) -> Iterator[Use]:
    """Gateways and waypoints that istiod deploys: by their label, their namespace's, or the default's."""
    spaces = {found["metadata"]["name"]: labels_of(found) for found in snapshot.of(NAMESPACE)}
    for found in snapshot.of(API_GATEWAY):
        if not is_istios(found):
            continue
        own = labels_of(found).get(REVISION_LABEL)
        of_namespace = spaces.get(found["metadata"]["namespace"], {}).get(REVISION_LABEL)
        how = "its own label" if own else "the label of its namespace" if of_namespace else "it is nobody else's"
        for name in [own or of_namespace] if own or of_namespace else _defaults(snapshot):
            yield _use(str(name), found, how)


def _defaults(snapshot: Snapshot) -> list[str]:
    """Who acts on what names nobody: the default revision or tag; without these, the default validator's."""
    known = revisions(snapshot) | set(tags_of(snapshot.of(MUTATING_WEBHOOKS)))
    if DEFAULT_REVISION in known:
        return [DEFAULT_REVISION]
    return [use.name for use in _validators(snapshot)]


def _tags(snapshot: Snapshot) -> Iterator[Use]:
    for found in snapshot.of(MUTATING_WEBHOOKS):
        labels = labels_of(found)
        if labels.get(TAG_LABEL) and REVISION_LABEL in labels:
            yield _use(labels[REVISION_LABEL], found, f"tag {labels[TAG_LABEL]}")
        elif injects_by_default(found):
            yield _use(labels[REVISION_LABEL], found, "injects where no label says anything")
    for found in snapshot.of(SAIL_TAG):
        revision = (found.get("status") or {}).get("istioRevision")
        if revision:
            yield _use(revision, found, "tag of the Sail operator")


def _validators(snapshot: Snapshot) -> Iterator[Use]:
    """The validator of all revisions' configuration, which asks the istiod of one."""
    for found in snapshot.of(VALIDATING_WEBHOOKS):
        if found["metadata"]["name"] == DEFAULT_VALIDATOR:
            names = {revision_of_service(service) for _hook, _namespace, service in services_of(found)}
            yield from (_use(name, found, "validates configuration with it") for name in sorted(names) if name)


def _configuration(snapshot: Snapshot) -> Iterator[Use]:
    for kind in KINDS:
        yield from _labelled(snapshot.of(kind.resource), "it is for this revision alone")


def _node_agents(snapshot: Snapshot) -> Iterator[Use]:
    agents = [found for found in snapshot.of(DAEMON_SET) if found["metadata"]["name"] in _NODE_AGENTS]
    yield from _labelled(agents, f"label {REVISION_LABEL}")


def _labelled(objects: Iterable[Object], how: str) -> Iterator[Use]:
    for found in objects:
        revision = labels_of(found).get(REVISION_LABEL)
        if revision:
            yield _use(revision, found, how)
