# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What istiod itself asks before it injects, once a webhook has sent it a Pod.

Source: pkg/kube/inject, injectRequired of 1.28 to 1.31; the order is Istio's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..kube.client import Object
from .facts import INJECT_LABEL, SYSTEM_NAMESPACES
from .injector_config import POLICY_DISABLED, POLICY_ENABLED, InjectorConfig, Selector
from .selectors import Labels, matches
from .webhooks import annotations_of, labels_of


@dataclass(frozen=True)
class Subject:
    """All that decides about a Pod: of its namespace, and of the Pod itself or of the template that makes it."""

    namespace: str
    namespace_labels: Labels
    labels: Labels = field(default_factory=dict)
    annotations: Labels = field(default_factory=dict)
    host_network: bool = False


@dataclass(frozen=True)
class Verdict:
    """Whether one is injected, by which rule and which label, and the reason as part of a sentence."""

    injects: bool
    rule: str
    label: str
    because: str


def subject_of(pod_or_template: Mapping[str, Any], namespace: str, namespace_labels: Labels) -> Subject:
    """What decides about a Pod, or about those of a template."""
    found: Object = {"metadata": {}, **pod_or_template}
    host_network = bool((found.get("spec") or {}).get("hostNetwork"))
    return Subject(namespace, namespace_labels, labels_of(found), annotations_of(found), host_network)


def second_filter(subject: Subject, config: InjectorConfig) -> Verdict:
    """The first of the rules that has something to say."""
    verdicts = (rule(subject, config) for rule in _RULES)
    return next(verdict for verdict in verdicts if verdict is not None)


def _host_network(subject: Subject, _config: InjectorConfig) -> Verdict | None:
    if not subject.host_network:
        return None
    return Verdict(
        False, "host_network", "", "the Pod is on the network of its node, and istiod leaves such Pods alone"
    )


def _system_namespace(subject: Subject, _config: InjectorConfig) -> Verdict | None:
    if subject.namespace not in SYSTEM_NAMESPACES:
        return None
    return Verdict(False, "system_namespace", "", f"istiod never injects in the namespace {subject.namespace}")


def _switch(subject: Subject, _config: InjectorConfig) -> Verdict | None:
    """The label of the Pod; where there is none, the annotation of the same name. Other values than two say nothing."""
    is_label = INJECT_LABEL in subject.labels
    value = (subject.labels if is_label else subject.annotations).get(INJECT_LABEL, "")
    if value not in ("true", "false"):
        return None
    kind, rule = ("label", "pod_label") if is_label else ("annotation", "pod_annotation")
    label = f"{INJECT_LABEL}={value}"
    return Verdict(value == "true", rule, label, f"the Pod has the {kind} {label}")


def _never(subject: Subject, config: InjectorConfig) -> Verdict | None:
    if not _any_matches(config.never, subject.labels):
        return None
    return Verdict(False, "never_inject_selector", "", "istiod's neverInjectSelector matches the labels of the Pod")


def _always(subject: Subject, config: InjectorConfig) -> Verdict | None:
    if not _any_matches(config.always, subject.labels):
        return None
    return Verdict(True, "always_inject_selector", "", "istiod's alwaysInjectSelector matches the labels of the Pod")


def _policy(_subject: Subject, config: InjectorConfig) -> Verdict:
    if config.policy == POLICY_ENABLED:
        return Verdict(True, "policy", "", "istiod injects what it is asked for")
    known = config.policy == POLICY_DISABLED
    why = "injects only what says so itself" if known else "knows no such policy and injects nothing"
    return Verdict(False, "policy", "", f"istiod's policy (global.proxy.autoInject) is '{config.policy}': it {why}")


def _any_matches(selectors: Iterable[Selector], labels: Labels) -> bool:
    """One that is empty matches nothing here, unlike a webhook's."""
    return any(_says_something(selector) and matches(selector, labels) for selector in selectors)


def _says_something(selector: Selector) -> bool:
    return bool(selector.get("matchLabels") or selector.get("matchExpressions"))


_RULES: tuple[Callable[[Subject, InjectorConfig], Verdict | None], ...] = (
    _host_network,
    _system_namespace,
    _switch,
    _never,
    _always,
    _policy,
)
