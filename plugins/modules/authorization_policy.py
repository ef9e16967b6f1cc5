#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say who may call what (Istio AuthorizationPolicy)."""

from __future__ import annotations

DOCUMENTATION = r"""
module: authorization_policy
short_description: Say who may call what (Istio AuthorizationPolicy)
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - >-
    Manages an C(AuthorizationPolicy): which requests are allowed, denied, audited or decided by somebody else.
  - >-
    The first policy with the action V(ALLOW) for a workload cuts off everything that it does not allow. A
    policy without any option but its name allows nothing.
  - >-
    The first level of its spec are options; what stands deeper is written as Istio documents it, in camelCase,
    and is never converted.
options:
  selector:
    description:
      - Labels of the workloads that it is for. Without it, all of the namespace.
    type: dict
  target_ref:
    description:
      - The Gateway API object that it is for.
    type: dict
  target_refs:
    description:
      - The Gateway API objects that it is for.
    type: list
    elements: dict
  rules:
    description:
      - Rules; a request matches the policy when it matches one of them.
    type: list
    elements: dict
  action:
    description:
      - What happens to a matching request. Istio's own default is V(ALLOW).
    type: str
    choices: [ALLOW, DENY, AUDIT, CUSTOM]
  provider:
    description:
      - Who decides when the action is V(CUSTOM).
    type: dict
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
  - service_mesh.istio.metadata
  - service_mesh.istio.state
  - service_mesh.istio.ownership
  - service_mesh.istio.checks
  - service_mesh.istio.mesh_root
"""

EXAMPLES = r"""
- name: Nobody reaches the admin pages
  service_mesh.istio.authorization_policy:
    context: east
    name: deny-admin
    namespace: shop
    selector: {matchLabels: {app: web}}
    action: DENY
    rules:
      - to:
          - operation: {paths: [/admin*]}
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

from ..module_utils.istio.kinds import AUTHORIZATION_POLICY
from ..module_utils.task.module import run_module
from ..module_utils.task.operations.config import kind_operation

OPERATION = kind_operation(AUTHORIZATION_POLICY)


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
