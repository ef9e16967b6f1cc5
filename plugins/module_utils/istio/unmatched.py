# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why no webhook would send a Pod to an istiod: which label asks for nobody, or for somebody who is not there.

The answer itself comes from the selectors; this only says it in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..kube.text import did_you_mean
from .facts import INJECT_LABEL, INJECTION_LABEL, REVISION_LABEL, SYSTEM_NAMESPACES
from .second_filter import Subject, Verdict
from .webhooks import DEFAULT_REVISION, Hook

_ENABLED, _TRUE, _FALSE = "enabled", "true", "false"


def unmatched(subject: Subject, hooks: Sequence[Hook]) -> Verdict:
    """The first reason that holds."""
    return next(_reasons(subject, hooks))


def _reasons(subject: Subject, hooks: Sequence[Hook]) -> Iterator[Verdict]:
    namespace, pod = subject.namespace_labels, subject.labels
    if not hooks:
        yield _no("no_injector", "", "no control plane has an injection webhook in this cluster")
    if namespace.get(INJECTION_LABEL, _ENABLED) != _ENABLED:
        label = f"{INJECTION_LABEL}={namespace[INJECTION_LABEL]}"
        yield _no(
            "namespace_disabled", label, f"the namespace has the label {label}, which no label of a Pod overrules"
        )
    if pod.get(INJECT_LABEL) == _FALSE:
        yield _no("pod_label", f"{INJECT_LABEL}={_FALSE}", f"the Pod has the label {INJECT_LABEL}={_FALSE}")
    yield from _asks_for_somebody(subject, hooks)
    if subject.namespace in SYSTEM_NAMESPACES:
        yield _no("system_namespace", "", f"the namespace {subject.namespace} is one of Kubernetes' own")
    yield _no("no_label", "", "neither the namespace nor the Pod has a label that asks for a sidecar")


def _asks_for_somebody(subject: Subject, hooks: Sequence[Hook]) -> Iterator[Verdict]:
    """The first label that asks for an injector: whose it is, what it says, and whom it means."""
    namespace, pod = subject.namespace_labels, subject.labels
    if INJECTION_LABEL in namespace:
        yield _nobody("namespace", f"{INJECTION_LABEL}={_ENABLED}", DEFAULT_REVISION, hooks)
    elif REVISION_LABEL in namespace:
        yield _nobody("namespace", f"{REVISION_LABEL}={namespace[REVISION_LABEL]}", namespace[REVISION_LABEL], hooks)
    elif REVISION_LABEL in pod:
        yield _nobody("Pod", f"{REVISION_LABEL}={pod[REVISION_LABEL]}", pod[REVISION_LABEL], hooks)
    elif pod.get(INJECT_LABEL) == _TRUE:
        yield _nobody("Pod", f"{INJECT_LABEL}={_TRUE}", DEFAULT_REVISION, hooks)


def _nobody(whose: str, label: str, asked: str, hooks: Sequence[Hook]) -> Verdict:
    known = sorted({hook.named for hook in hooks})
    there = f"there are {', '.join(known)}"
    has = f"the {whose} has the label {label}"
    if asked in known:
        return _no("selectors", label, f"{has}, but the selectors of the webhooks for '{asked}' do not match")
    if asked == DEFAULT_REVISION:
        return _no(
            "no_default", label, f"{has}, which asks for the default control plane or tag, and there is none: {there}"
        )
    near = did_you_mean(asked, known)
    return _no("unknown_revision", label, f"{has}, and there is no revision or tag '{asked}'{near}: {there}")


def _no(rule: str, label: str, because: str) -> Verdict:
    return Verdict(False, rule, label, because)
