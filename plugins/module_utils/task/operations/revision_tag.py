# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of revision_tag."""

from __future__ import annotations

from ...istio.facts import ROOT_NAMESPACE
from ...istio.tags import RevisionTag, checked_tag, run_revision_tag
from ..arguments import OWNERSHIP, STATE, ArgumentSpec
from ..operation import Operation, Params


def _revision_tag(params: Params) -> RevisionTag:
    return checked_tag(
        RevisionTag(
            tag=params["tag"],
            revision=params["revision"] if params["state"] == "present" else None,
            namespace=params["namespace"],
            take_ownership_from=tuple(params["take_ownership_from"]),
            force=params["force"],
        )
    )


REVISION_TAG: Operation[RevisionTag] = Operation(
    "revision_tag",
    ArgumentSpec(
        {
            "tag": {"type": "str", "required": True},
            "revision": {"type": "str"},
            "namespace": {"type": "str", "default": ROOT_NAMESPACE},
            "force": {"type": "bool", "default": False},
        },
        {"required_if": [("state", "present", ["revision"])]},
    )
    + STATE
    + OWNERSHIP,
    _revision_tag,
    run_revision_tag,
)
