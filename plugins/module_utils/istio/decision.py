# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who injects a Pod, if anybody, and why: the webhooks' own selectors first, then what istiod asks itself.

Right for whoever has installed the webhooks, and for labels that nobody has set yet: a decision is a function of what
the cluster has and of the labels. tests/campaigns/injection.py compares it with what real istiods do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..kube.resources import CONFIG_MAP, MUTATING_WEBHOOKS
from .facts import INJECT_LABEL, INJECTION_LABEL, REVISION_LABEL, ROOT_NAMESPACE
from .injector_config import InjectorConfig, injector_config, name_of
from .second_filter import Subject, Verdict, second_filter
from .snapshot import Ask, Snapshot
from .unmatched import unmatched
from .webhooks import Hook, hooks_of

# By the case of a webhook: the rule, whose label decides, and which label that is.
_CASES = {
    "rev.namespace": ("namespace_revision", "namespace", REVISION_LABEL),
    "rev.object": ("pod_revision", "Pod", REVISION_LABEL),
    "namespace": ("namespace_enabled", "namespace", INJECTION_LABEL),
    "object": ("pod_label", "Pod", INJECT_LABEL),
}
_UNASKED = Verdict(
    True, "mesh_default", "", "the mesh injects where no label says anything (enableNamespacesByDefault)"
)
_SELECTED = Verdict(True, "selectors", "", "the selectors of the webhook match")


@dataclass(frozen=True)
class Decision:
    """What happens to a Pod when it is made: injected or not, by whose webhook, and the rule and label that decide.

    `others` are webhooks that would inject it as well, which is a fault; `doubt` is what could not be read.
    """

    injected: bool
    rule: str
    label: str
    because: str
    hook: Hook | None = None
    others: tuple[Hook, ...] = ()
    doubt: str = ""

    @property
    def revision(self) -> str:
        """The revision whose proxy the Pod gets, empty for none."""
        return self.hook.revision if self.injected and self.hook else ""

    @property
    def revisions(self) -> list[str]:
        """All revisions that would inject it."""
        return [hook.revision for hook in (self.hook, *self.others) if hook and self.injected]

    @property
    def tag(self) -> str:
        return self.hook.tag if self.injected and self.hook else ""

    def told(self) -> dict[str, Any]:
        """For a result."""
        return {
            "injected": self.injected,
            "revision": self.revision,
            "tag": self.tag,
            "webhook": str(self.hook or ""),
            "rule": self.rule,
            "label": self.label,
            "because": self.because,
            "others": list(map(str, self.others)),
            "doubt": self.doubt,
        }


@dataclass(frozen=True)
class Injectors:
    """All that injects in a cluster: the webhooks, and what each istiod is told, by its ConfigMap's place."""

    hooks: tuple[Hook, ...] = ()
    configs: Mapping[tuple[str, str], InjectorConfig] = field(default_factory=dict)

    def config_of(self, hook: Hook) -> InjectorConfig:
        place = place_of(hook)
        unread = f"the ConfigMap {'/'.join(place)} could not be read, so Istio's defaults are taken for granted"
        return self.configs.get(place) or InjectorConfig(doubt=unread)

    def decide(self, subject: Subject) -> Decision:
        """What happens to a Pod."""
        asked = [hook for hook in self.hooks if hook.selects(subject.namespace_labels, subject.labels)]
        if not asked:
            return _decision(unmatched(subject, self.hooks))
        judged = [(hook, second_filter(subject, self.config_of(hook))) for hook in asked]
        injecting = [(hook, verdict) for hook, verdict in judged if verdict.injects]
        # Of several that inject, each does it over what the one before has made.
        hook, verdict = injecting[-1] if injecting else judged[0]
        others = [other for other, _verdict in injecting[:-1]]
        reason = _together(_case(hook, subject), verdict) if injecting else verdict
        return _decision(reason, hook, others, self.config_of(hook).doubt)


def place_of(hook: Hook) -> tuple[str, str]:
    """Namespace and name of the ConfigMap of the istiod that a webhook asks."""
    return hook.place or ROOT_NAMESPACE, name_of(hook.revision)


def decision_asks(first: Snapshot) -> list[Ask]:
    """What has to be read besides the webhooks, which have to be in the snapshot: the ConfigMaps of their istiods."""
    places = dict.fromkeys(map(place_of, hooks_of(first.of(MUTATING_WEBHOOKS))))
    return [Ask(CONFIG_MAP, namespace, name=name) for namespace, name in places]


def injectors_of(snapshot: Snapshot) -> Injectors:
    """All that injects, as a snapshot with what `decision_asks` asks for has it."""
    hooks = tuple(hooks_of(snapshot.of(MUTATING_WEBHOOKS)))
    found = {place: snapshot.named(CONFIG_MAP, place[1], place[0]) for place in map(place_of, hooks)}
    return Injectors(hooks, {place: injector_config(there) for place, there in found.items() if there})


def _case(hook: Hook, subject: Subject) -> Verdict:
    """What a webhook that matches says about the labels."""
    if hook.case == "auto":
        return _UNASKED
    if hook.case not in _CASES:
        return _SELECTED
    rule, whose, name = _CASES[hook.case]
    value = (subject.namespace_labels if whose == "namespace" else subject.labels).get(name, "")
    meant = f", a tag of the revision {hook.revision}" if hook.tag else ""
    return Verdict(True, rule, f"{name}={value}", f"the {whose} has the label {name}={value}{meant}")


def _together(case: Verdict, verdict: Verdict) -> Verdict:
    """Both reasons, where istiod's own is more than that nothing speaks against it."""
    if verdict.rule in ("policy", case.rule):
        return case
    return Verdict(True, case.rule, case.label, f"{case.because}, and {verdict.because}")


def _decision(verdict: Verdict, hook: Hook | None = None, others: Iterable[Hook] = (), doubt: str = "") -> Decision:
    return Decision(verdict.injects, verdict.rule, verdict.label, verdict.because, hook, tuple(others), doubt)
