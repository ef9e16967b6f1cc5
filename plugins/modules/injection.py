#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which namespaces get sidecars."""

from __future__ import annotations

DOCUMENTATION = r"""
module: injection
short_description: Decide which namespaces get sidecars
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - >-
    Labels namespaces so that new Pods in them get a sidecar, or do not. Pods that run already keep what they
    have until they are restarted.
  - Setting one of Istio's two labels removes the other, whoever has set it. Nothing else of a namespace is touched.
options:
  namespaces:
    description:
      - Namespaces and what they shall have.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the namespace.
        type: str
        required: true
      mode:
        description:
          - V(enabled) injects by the default control plane, V(disabled) never injects, V(clear) removes both labels.
          - V(enabled) unless given.
        type: str
        choices: [enabled, disabled, clear]
      revision:
        description: Revision or tag to inject by, instead of the default control plane.
        type: str
      create:
        description: Create the namespace if it does not exist. Otherwise a missing namespace is an error.
        type: bool
        default: false
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
  - service_mesh.istio.ownership
"""

EXAMPLES = r"""
- name: The shop is in the mesh, its batch jobs are not
  service_mesh.istio.injection:
    context: east
    namespaces:
      - name: shop
      - name: shop-batch
        mode: disabled
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

from ..module_utils.task.module import run_module
from ..module_utils.task.operations.injection import INJECTION

OPERATION = INJECTION


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
