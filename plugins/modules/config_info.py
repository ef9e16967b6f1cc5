#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read objects of a mesh back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: config_info
short_description: Read objects of a mesh back
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - Reads objects of Istio's kinds, and of any other kind that the API server knows, whoever made them.
  - >-
    Asks the API server once for each kind, and once for each kind and namespace when C(namespaces) are named; many
    objects come in pages.
  - Of Secrets it tells names and labels, and hashes of their data.
options:
  kinds:
    description:
      - >-
        Which kinds are read: one of Istio's by the name of its module, such as V(virtual_service), any other by its
        kind and apiVersion, such as V(HTTPRoute/gateway.networking.k8s.io/v1) or V(Service/v1).
      - Without it, all of Istio's.
      - A kind that the cluster does not have is no error. There is a warning, and the result has no such objects.
    type: list
    elements: str
    default: []
  namespaces:
    description:
      - >-
        Namespaces to read. Without it, all of them, which needs the permission to list objects of the whole cluster. An
        empty entry is refused, here and in C(names) and C(label_selectors).
      - It does not restrict kinds whose objects live in no namespace.
    type: list
    elements: str
    default: []
  names:
    description:
      - Names of the objects. Without it, whatever they are called.
    type: list
    elements: str
    default: []
  label_selectors:
    description:
      - Conditions on the labels of the objects, such as V(team=shop) or V(stage in (test, prod\)); all have to hold.
    type: list
    elements: str
    default: []
  managed_fields:
    description:
      - Whether the objects come with C(metadata.managedFields), which says who manages which field.
    type: bool
    default: false
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
"""

EXAMPLES = r"""
- name: The routes of the shop
  service_mesh.istio.config_info:
    context: east
    kinds: [virtual_service, destination_rule, HTTPRoute/gateway.networking.k8s.io/v1]
    namespaces: [shop]
  register: routes

- name: Their hosts
  ansible.builtin.debug:
    msg: "{{ routes.objects | selectattr('kind', 'eq', 'VirtualService') | map(attribute='spec.hosts') | flatten }}"

- name: Everything of Istio's that belongs to one team
  service_mesh.istio.config_info:
    context: east
    label_selectors: [team=shop]
  register: ours
"""

RETURN = r"""
objects:
  description: >-
    The objects, kind by kind in the order of C(kinds), each as the API server has it, without managed fields unless
    C(managed_fields).
  returned: success
  type: list
  elements: dict
  sample:
    - apiVersion: security.istio.io/v1
      kind: PeerAuthentication
      metadata: {name: default, namespace: shop}
      spec: {mtls: {mode: STRICT}}
requests:
  description: Number of requests by verb.
  returned: success
  type: dict
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
from ..module_utils.task.operations.config import CONFIG_INFO

OPERATION = CONFIG_INFO


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
