#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploy a gateway of a mesh."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_deployment
short_description: Deploy a gateway of a mesh
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - >-
    Deploys Envoy as a gateway, from Istio's official chart C(gateway): Deployment, Service, autoscaling and
    rights.
  - Which ports and hosts it serves is said by M(service_mesh.istio.gateway).
options:
  state:
    description:
      - The gateway shall be there.
    type: str
    choices: [present]
    default: present
  name:
    description:
      - >-
        Name of the gateway, of its Deployment and of its Service. Its Pods carry the label C(istio) with this
        name, without a leading C(istio-).
    type: str
    required: true
  namespace:
    description:
      - Namespace of the gateway. It is created if it does not exist.
    type: str
    required: true
  type:
    description:
      - What the gateway is for; V(ingress) is traffic that comes into the mesh.
    type: str
    choices: [ingress]
    default: ingress
  revision:
    description:
      - Revision (or tag) of the control plane that injects the proxy. By default the default one.
    type: str
  service_type:
    description:
      - Type of its Service; V(None) deploys no Service. The chart's default is V(LoadBalancer).
    type: str
    choices: [LoadBalancer, NodePort, ClusterIP, None]
  values:
    description:
      - >-
        Values for the chart. They are merged over what the options above say. A key that the chart does not
        know is refused.
    type: dict
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
  - service_mesh.istio.chart_source
  - service_mesh.istio.mode
  - service_mesh.istio.wait
"""

EXAMPLES = r"""
- name: The mesh has an ingress gateway
  service_mesh.istio.gateway_deployment:
    context: east
    version: 1.29.1
    name: ingress
    namespace: istio-ingress
"""

RETURN = r"""
plan:
  description: What was done, or in check mode would be done, in order. Objects that need no change are not in it.
  returned: success
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(update) or V(delete).
      type: str
    kind:
      description: Kind of the object.
      type: str
    namespace:
      description: Its namespace; empty for objects of the cluster.
      type: str
    name:
      description: Its name.
      type: str
    fields:
      description: Paths of the fields that change.
      type: list
      elements: str
    reason:
      description: Why, where that is not plain; for example that the server could not be asked yet.
      type: str
summary:
  description: Number of objects by action.
  returned: success
  type: dict
  sample: {create: 1, update: 0, delete: 0, unchanged: 3}
requests:
  description: Number of requests by verb. Dry runs are counted apart; they persist nothing.
  returned: success
  type: dict
  sample: {get: 1, "apply (dry run)": 1, apply: 1}
failure:
  description: What went wrong, for playbooks.
  returned: failure
  type: dict
  contains:
    code:
      description: A word for the kind of failure.
      type: str
    object:
      description: The object concerned.
      type: str
    reason:
      description: Why, often in the words of the API server.
      type: str
    hint:
      description: What to do next.
      type: str
version:
  description: The version of the chart.
  returned: success
  type: str
namespace:
  description: The namespace of the gateway.
  returned: success
  type: str
name:
  description: The name of the gateway.
  returned: success
  type: str
"""

from ..module_utils.task.module import run_module
from ..module_utils.task.operations import GATEWAY_DEPLOYMENT

OPERATION = GATEWAY_DEPLOYMENT


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
