#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Route traffic of a mesh (Istio VirtualService)."""

from __future__ import annotations

DOCUMENTATION = r"""
module: virtual_service
short_description: Route traffic of a mesh (Istio VirtualService)
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - >-
    Manages a C(VirtualService): how requests for some hosts are matched, routed, split, delayed, mirrored and
    retried.
  - >-
    The first level of its spec are options; what stands deeper is written as Istio documents it, in camelCase,
    and is never converted.
options:
  hosts:
    description:
      - Hosts that the routes are for.
    type: list
    elements: str
  gateways:
    description:
      - >-
        Gateways that the routes apply to, as V(namespace/name); V(mesh) stands for all sidecars. Without it,
        all sidecars.
    type: list
    elements: str
  http:
    description:
      - Routes for HTTP, in order; the first match decides.
    type: list
    elements: dict
  tls:
    description:
      - Routes for TLS that is passed through, by SNI.
    type: list
    elements: dict
  tcp:
    description:
      - Routes for plain TCP.
    type: list
    elements: dict
  export_to:
    description:
      - Namespaces that see it; V(.) is its own, V(*) are all.
    type: list
    elements: str
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
  - service_mesh.istio.metadata
  - service_mesh.istio.state
  - service_mesh.istio.ownership
  - service_mesh.istio.checks
"""

EXAMPLES = r"""
- name: Reviews go to v1, and one request in ten to v2
  service_mesh.istio.virtual_service:
    context: east
    name: reviews
    namespace: shop
    hosts: [reviews]
    http:
      - route:
          - destination: {host: reviews, subset: v1}
            weight: 90
          - destination: {host: reviews, subset: v2}
            weight: 10

- name: The routes of reviews are gone
  service_mesh.istio.virtual_service:
    context: east
    name: reviews
    namespace: shop
    state: absent
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
"""

from ..module_utils.istio.kinds import VIRTUAL_SERVICE
from ..module_utils.task.module import run_module
from ..module_utils.task.operations.config import kind_operation

OPERATION = kind_operation(VIRTUAL_SERVICE)


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
