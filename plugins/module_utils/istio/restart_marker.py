# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mark of a restart in a workload's Pod template, and what it says of its Pods.

It is the annotation of `kubectl rollout restart`, which other tools know as well, and it moves only when a restart is
due. When it has moved is told by the server's own clock: ours may go wrong.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from ..kube.client import Object
from ..reconcile.objects import Desired
from ..reconcile.plan import Owner
from .facts import MANAGER_PREFIX
from .webhooks import annotations_of

MANAGER = f"{MANAGER_PREFIX}restart"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
FIELD = f"spec.template.metadata.annotations.[{RESTARTED_AT}]"
_MOMENT = 0.1
_PATH = ("f:spec", "f:template", "f:metadata", "f:annotations", f"f:{RESTARTED_AT}")


def holders(workload: Object) -> tuple[str, ...]:
    """Who manages the mark."""
    return tuple(dict.fromkeys(str(entry.get("manager")) for entry in _entries(workload)))


def owner_of_mark(workload: Object) -> Owner:
    """Who we write it as; whoever has restarted the workload before shares it with nobody."""
    return Owner(MANAGER, take_ownership_from=tuple(name for name in holders(workload) if name != MANAGER))


def restarted_on(workload: Object) -> str:
    """When the mark was set, in the server's words; nothing where there is none."""
    return max((str(entry.get("time") or "") for entry in _entries(workload)), default="")


def _entries(workload: Object) -> Iterator[Mapping[str, Any]]:
    for entry in workload["metadata"].get("managedFields") or []:
        fields: Any = entry.get("fieldsV1") or {}
        for step in _PATH:
            fields = fields.get(step) if isinstance(fields, dict) else None
        if fields is not None:
            yield entry


def mark_of(workload: Object) -> str:
    """The mark that is there, or nothing."""
    return annotations_of({"metadata": {}, **workload["spec"]["template"]}).get(RESTARTED_AT, "")


def is_older(made: str, restarted: str) -> bool:
    """Whether a Pod is from before a restart."""
    pod, mark = moment(made), moment(restarted)
    return pod is not None and mark is not None and pod < mark


def moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else None


def next_mark(workload: Object) -> str:
    """The time, to the second as the server tells that of Pods; another than is there, or nothing would restart."""
    while (mark := datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")) == mark_of(workload):
        time.sleep(_MOMENT)
    return mark


def marked(workload: Object, mark: str) -> Desired:
    """The workload with a mark, or without one as far as it is ours."""
    metadata = {key: workload["metadata"][key] for key in ("name", "namespace")}
    content: Object = {"apiVersion": workload["apiVersion"], "kind": workload["kind"], "metadata": metadata}
    if mark:
        content["spec"] = {"template": {"metadata": {"annotations": {RESTARTED_AT: mark}}}}
    return Desired(content, "a restart")
