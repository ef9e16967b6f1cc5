#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install the control plane of a mesh."""

from __future__ import annotations

DOCUMENTATION = r"""
module: control_plane
short_description: Install the control plane of a mesh
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - Renders Istio's official charts C(base) and C(istiod) and brings the cluster to what they describe.
  - Refuses, and names the owner, when somebody else has installed an Istio in the cluster.
  - >-
    Fields that istiod sets at run time (the CA and the failure policy of its webhooks) are never taken back, so
    a second run changes nothing.
  - >-
    Ends when the control plane works: istiod is available, its webhooks have their CA, and an object that has
    to be refused is refused.
options:
  state:
    description:
      - The control plane shall be there.
    type: str
    choices: [present]
    default: present
  namespace:
    description:
      - Root namespace of the mesh, in which istiod runs. It is created if it does not exist.
    type: str
    default: istio-system
  profile:
    description:
      - A profile of the charts, for example V(ambient), V(stable) or V(preview).
    type: str
  image_hub:
    description:
      - Registry and path from which all images come.
    type: str
    default: docker.io/istio
  mesh_id:
    description:
      - Identity of the mesh (C(global.meshID)).
    type: str
  cluster_name:
    description:
      - Name of this cluster in the mesh (C(global.multiCluster.clusterName)).
    type: str
  network:
    description:
      - Network of this cluster (C(global.network), and the label of the root namespace).
    type: str
  values:
    description:
      - >-
        Values for the charts, by chart. They are merged over what the options above say, mapping by mapping;
        lists are replaced.
      - A key that the chart does not know is refused.
    type: dict
    suboptions:
      base:
        description: Values of the chart C(base).
        type: dict
      istiod:
        description: Values of the chart C(istiod).
        type: dict
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
  - service_mesh.istio.chart_source
  - service_mesh.istio.mode
  - service_mesh.istio.wait
"""

EXAMPLES = r"""
- name: Istio 1.29.1 is installed
  service_mesh.istio.control_plane:
    context: east
    version: 1.29.1
    values:
      istiod:
        meshConfig:
          accessLogFile: /dev/stdout

- name: The same from charts on the controller and a mirror of the images
  service_mesh.istio.control_plane:
    context: east
    version: 1.29.1
    image_hub: mirror.example.com/istio
    charts:
      directory: /opt/charts/istio-1.29.1
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
  description: The version of Istio.
  returned: success
  type: str
namespace:
  description: The root namespace.
  returned: success
  type: str
"""

from ..module_utils.task.module import run_module
from ..module_utils.task.operations import CONTROL_PLANE

OPERATION = CONTROL_PLANE


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
