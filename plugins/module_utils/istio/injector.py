# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Pods an injection webhook is for, as a table.

Source: Istio's chart istio-discovery of 1.28 to 1.31, mutatingwebhook.yaml and revision-tags-mwc.yaml, where a
webhook's name begins with the name of its case; and istioctl (pkg/util, NeverMatch) for the selectors of an
injector that has been put out of action.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .facts import INJECT_LABEL, INJECTION_LABEL, REVISION_LABEL, SYSTEM_NAMESPACES
from .webhooks import DEFAULT_REVISION

Selector = Mapping[str, Any]

NEVER: Selector = {"matchLabels": {"istio.io/deactivated": "never-match"}}


def _requires(*requirements: tuple[str, str, tuple[str, ...]]) -> Selector:
    return {
        "matchExpressions": [
            {"key": key, "operator": operator, **({"values": list(values)} if values else {})}
            for key, operator, values in requirements
        ]
    }


_NO_INJECTION = (INJECTION_LABEL, "DoesNotExist", ())
_NO_REVISION = (REVISION_LABEL, "DoesNotExist", ())
_NOT_REFUSED = (INJECT_LABEL, "NotIn", ("false",))


def selectors(name: str, auto: bool) -> dict[str, tuple[Selector, Selector]]:
    """Of the injector of a revision or tag: selectors of namespaces and of Pods, by the name of the case.

    Only the default one is for what names no revision; with `auto`, also for what has no label at all.
    """
    named = (REVISION_LABEL, "In", (name,))
    found = {
        "rev.namespace.": (_requires(named, _NO_INJECTION), _requires(_NOT_REFUSED)),
        "rev.object.": (_requires(_NO_REVISION, _NO_INJECTION), _requires(_NOT_REFUSED, named)),
    }
    if name != DEFAULT_REVISION:
        return found
    unlabelled = _requires(_NO_INJECTION, _NO_REVISION)
    found |= {
        "namespace.": (_requires((INJECTION_LABEL, "In", ("enabled",))), _requires(_NOT_REFUSED)),
        "object.": (unlabelled, _requires((INJECT_LABEL, "In", ("true",)), _NO_REVISION)),
    }
    if auto:
        ordinary = ("kubernetes.io/metadata.name", "NotIn", tuple(sorted(SYSTEM_NAMESPACES)))
        nothing = _requires((INJECT_LABEL, "DoesNotExist", ()), _NO_REVISION)
        found["auto."] = (_requires(_NO_INJECTION, _NO_REVISION, ordinary), nothing)
    return found
