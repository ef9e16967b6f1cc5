# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which actions a mesh's mode allows, as a table.

`dedicated`: control plane and workloads are in the one cluster, and ours.
`hosted`: the control planes of primary clusters serve remote ones, too; all of it is ours.
`external`: somebody else owns this Istio; we read it and apply configuration
and injection, but never install, change or remove a control plane or gateway.
Source: the mode support matrix of the product whose features we serve (design, section 1).
"""

from __future__ import annotations

from collections.abc import Mapping

from ..kube.errors import Failure

DEDICATED = "dedicated"
HOSTED = "hosted"
EXTERNAL = "external"
MODES = (DEDICATED, HOSTED, EXTERNAL)

_FORBIDDEN: Mapping[str, Mapping[str, str]] = {
    "install or change a control plane": {
        EXTERNAL: "the control plane of an external mesh belongs to whoever installed it",
    },
    "uninstall a control plane": {
        EXTERNAL: "the control plane of an external mesh is removed by whoever installed it",
    },
    "deploy a gateway": {
        EXTERNAL: "gateways of an external mesh are deployed by whoever installed it",
    },
    "join clusters": {
        EXTERNAL: "the clusters of an external mesh are joined by whoever installed it",
    },
}
INSTALL = "install or change a control plane"
UNINSTALL = "uninstall a control plane"
DEPLOY_GATEWAY = "deploy a gateway"
JOIN = "join clusters"


class ForbiddenByMode(Failure):
    """The mesh's mode does not allow this."""

    code = "forbidden_by_mode"


def forbidden(action: str, mode: str) -> str:
    """Why the matrix says no; empty where it does not."""
    return _FORBIDDEN[action].get(mode, "")


def require_allowed(action: str, mode: str) -> None:
    """Raise ForbiddenByMode when the matrix says no."""
    why = forbidden(action, mode)
    if why:
        raise ForbiddenByMode(
            f"A mesh in mode '{mode}' does not allow to {action}",
            reason=why,
            hint="Set the mode (mesh_mode) to 'dedicated' if this Istio shall be ours, or leave this task out",
        )
