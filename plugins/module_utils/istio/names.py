# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of meshes, networks and clusters, of which Istio makes values of labels.

Source: `topology.istio.io/network` and `topology.istio.io/cluster` of the charts and of injected Pods.
"""

from __future__ import annotations

import re

from ..kube.errors import Failure

LABEL = "at most 63 letters, digits, '.', '-' and '_', with a letter or digit at both ends"
_OF_HOSTS = (
    ". Roles name a cluster after its inventory host where there is no mesh_cluster_name: set that where the name of "
    "the host does not fit"
)
_VALUE_OF_A_LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")


class InvalidName(Failure):
    """Not a name that a mesh, a network or a cluster can have."""

    code = "invalid_name"


def is_unfit(name: str) -> bool:
    """Whether a name cannot be the value of a label."""
    return not _VALUE_OF_A_LABEL.fullmatch(name)


def check_names(**names: str | None) -> None:
    """Refuse what cannot be the value of a label; none at all and an empty one are none. Raises InvalidName."""
    for option, name in names.items():
        if is_unfit(name or ""):
            more = _OF_HOSTS if option == "cluster_name" else ""
            raise InvalidName(
                f"'{name}' cannot be the value of '{option}'",
                subject=option,
                reason=f"Istio makes a label of it: {LABEL}",
                hint=f"Correct '{option}'{more}",
            )
