# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The injection of a Pod, a workload or a namespace in a sentence or two, for somebody who wonders."""

from __future__ import annotations

from collections.abc import Sequence

from ..kube.client import Object
from .decision import Decision
from .injection_state import Workload, effective


def workload_text(one: Workload) -> str:
    """What its Pods have, what new ones would get and why, and what waits."""
    subject = f"{one.owner.kind} {one.namespace}/{one.owner.name}"
    return _sentences(f"{subject}: {_has(one.injected, len(one.pods))}", *_more(one))


def pod_text(one: Workload, pod: Object) -> str:
    """The same for one of its Pods."""
    name = pod["metadata"]["name"]
    subject = f"Pod {one.namespace}/{name}" + (f" of {one.owner}" if one.owner.name != name else "")
    has = effective([found for found in one.injected if found is pod])
    return _sentences(f"{subject}: it has {_proxy(has[0]) if has else 'no sidecar'}", *_more(one, name))


def namespace_text(name: str, decision: Decision) -> str:
    return _sentences(f"Namespace {name}: a Pod without labels of its own {decision_text(decision)}")


def decision_text(decision: Decision, version: str = "") -> str:
    """What would happen to a new Pod, as the rest of a sentence."""
    if not decision.injected:
        return f"would get no sidecar, because {decision.because}"
    kind = f"{version} of revision {decision.revision}" if version else f"of revision {decision.revision}"
    others = " and ".join(map(str, decision.others))
    twice = f"; {others} would inject it as well, which must not be" if others else ""
    return f"would get a sidecar {kind}, because {decision.because}; the webhook is {decision.hook}{twice}"


def _more(one: Workload, pod: str = "") -> list[str]:
    troubles = [text for name, text in one.troubles.items() if pod in ("", name)]
    waiting = [text for name, text in one.differences.items() if pod in ("", name)]
    count = "It waits" if pod else "1 Pod waits" if len(waiting) == 1 else f"{len(waiting)} Pods wait"
    return [
        f"A new one {decision_text(one.decision, one.version)}",
        *([f"But {one.decision.doubt}"] if one.decision.doubt else []),
        *([f"{count} for a restart: {waiting[0]}"] if waiting else []),
        *([f"It fails: {troubles[0]}"] if troubles else []),
    ]


def _has(injected: Sequence[Object], total: int) -> str:
    if not total:
        return "it has no Pods"
    if not injected:
        return f"none of its {total} Pods has a sidecar"
    proxies = " and ".join(f"{proxy['pods']} with {_proxy(proxy)}" for proxy in effective(injected))
    return f"{len(injected)} of {total} Pods have a sidecar: {proxies}"


def _proxy(proxy: dict[str, object]) -> str:
    version, revision = proxy["version"] or "of an unknown version", proxy["revision"]
    by = f"of revision {revision}" if revision else "that no webhook has injected"
    return f"a {'native ' if proxy['native'] else ''}sidecar {version} {by}"


def _sentences(*parts: str) -> str:
    return " ".join(f"{part.rstrip('.')}." for part in parts)
