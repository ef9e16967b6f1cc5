#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set the log level of proxies that run."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxy_log_level
short_description: Set the log level of proxies that run
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - >-
    Asks the proxies of running Pods for the levels of their loggers, and sets those that differ. Nothing restarts, and
    a Pod that is made again has the level of its workload (M(service_mesh.istio.injection)) or of the mesh.
  - >-
    Needs C(get) and, from Kubernetes 1.35 on, C(create) on C(pods/exec). In check mode the levels are only read.
options:
  namespace:
    description:
      - Namespace of the Pods.
    type: str
    required: true
  pods:
    description:
      - Names of the Pods. Each of them must run a sidecar.
    type: list
    elements: str
  selector:
    description:
      - >-
        Label selector of the Pods, for example V(app=orders). V(security.istio.io/tlsMode=istio) stands for all that
        have a sidecar. Pods without one are left out.
    type: str
  level:
    description:
      - The level of all loggers.
    type: str
    choices: [trace, debug, info, warning, error, critical, 'off']
    required: true
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
"""

EXAMPLES = r"""
- name: The orders' proxies tell everything
  service_mesh.istio.proxy_log_level:
    context: east
    namespace: shop
    selector: app=orders
    level: debug

- name: One proxy is as before
  service_mesh.istio.proxy_log_level:
    context: east
    namespace: shop
    pods: [orders-6f7d9c5b8-x2x7p]
    level: warning
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
proxies:
  description: The proxies that were asked.
  returned: success
  type: list
  elements: dict
  contains:
    pod:
      description: Name of the Pod.
      type: str
    before:
      description: How many of its loggers had which level.
      type: dict
      sample: {warning: 57, error: 1}
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

from ..module_utils.task.module import run_module
from ..module_utils.task.operations.proxy_log_level import PROXY_LOG_LEVEL

OPERATION = PROXY_LOG_LEVEL


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
