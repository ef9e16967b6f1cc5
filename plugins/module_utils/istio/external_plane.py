# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control planes that run in a cluster and serve others alone: their istiods have their configuration from elsewhere.

Source: istio.io, "Install Istio with an External Control Plane"; an istiod is told so by an environment variable.
"""

from __future__ import annotations

from ..kube.client import Client, Object
from ..kube.resources import DEPLOYMENT
from .facts import ISTIOD_SELECTOR, READS_WHERE_IT_RUNS

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})  # what istiod takes for true: strconv.ParseBool of Go


def is_outside(client: Client, namespace: str) -> bool:
    """Whether the control plane here serves other clusters alone: nothing of this one shows what it does."""
    return any(map(is_external, client.list_objects(DEPLOYMENT, namespace, labels=ISTIOD_SELECTOR)))


def is_external(istiod: Object) -> bool:
    return says(istiod, READS_WHERE_IT_RUNS)


def says(deployment: Object, setting: str) -> bool:
    """Whether an environment variable of it is true."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    values = [one for container in containers for one in container.get("env") or [] if one["name"] == setting]
    return any(str(one.get("value")) in _TRUE for one in values)
