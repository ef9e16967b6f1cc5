# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Istio's CRDs, when they shall go with the last control plane: all configuration of theirs goes with them."""

from __future__ import annotations

from collections.abc import Sequence

from ..kube.client import Client, Object
from ..kube.errors import Failure
from ..kube.resources import CRD, Resource
from ..reconcile.objects import Key
from ..reconcile.parallel import each
from .belongings import is_applied
from .control_plane import MANAGER
from .desired_control_plane import BASE
from .removal import Removal, Uninstall

_SHOWN = 10


class CrdsInUse(Failure):
    """CRDs that somebody still needs."""

    code = "crds_in_use"


def crds_that_go(client: Client, wanted: Uninstall, removal: Removal) -> list[Object]:
    """Our CRDs, with the objects of theirs where these shall go along. Raises CrdsInUse."""
    if not wanted.remove_crds or BASE not in wanted.components:
        return []
    if removal.staying:
        raise CrdsInUse(
            f"The CRDs cannot go from {client.name}",
            subject="remove_crds",
            reason=f"they serve the revisions that stay, too: {', '.join(removal.staying)}",
            hint="Leave 'remove_crds' out until the last control plane goes",
        )
    crds = [found for found in client.list_objects(CRD) if is_applied(found, MANAGER)]
    objects = [
        found for listed in each(lambda crd: list(client.list_objects(_resource(crd))), crds) for found in listed
    ]
    if objects and not wanted.remove_configuration:
        raise _in_use(client, objects)
    return [*objects, *crds]


def _resource(crd: Object) -> Resource:
    """Its objects in the version that is stored, which every CRD serves."""
    spec = crd["spec"]
    version = next(one["name"] for one in spec["versions"] if one["storage"])
    names = spec["names"]
    return Resource(f"{spec['group']}/{version}", names["kind"], names["plural"], spec["scope"] == "Namespaced")


def _in_use(client: Client, objects: Sequence[Object]) -> CrdsInUse:
    shown = ", ".join(str(Key.of(found)) for found in objects[:_SHOWN])
    more = f" and {len(objects) - _SHOWN} more" if len(objects) > _SHOWN else ""
    return CrdsInUse(
        f"With the CRDs, {len(objects)} objects of configuration would go from {client.name}",
        subject="remove_crds",
        reason=f"{shown}{more}",
        hint="Keep them (leave 'remove_crds' out), or say 'remove_configuration: true' to have them go, too. "
        "Nothing has been written",
    )
