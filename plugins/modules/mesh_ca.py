#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give a cluster certificates from the root of its mesh."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_ca
short_description: Give a cluster certificates from the root of its mesh
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - >-
    Writes the Secret C(cacerts), by which the istiod of a cluster signs the certificates of its proxies. Clusters whose
    certificates lead to one root trust each other; give them before the control plane is installed.
  - >-
    An intermediate that is valid stays. A new one is made when there is none, when it leads to no root, or when it ends
    within C(renew_before_days). istiod takes it up by itself; proxies get certificates of it as theirs expire.
  - >-
    A root is never changed in place: the task refuses and names both roots, because proxies hold certificates of the
    old one. With C(rotate) another root takes its place in three phases, each of which is done when the proxies show
    it. With several clusters, all of them have to be through a phase before the next begins: the tasks C(rotate_ca) of
    the role P(service_mesh.istio.mesh_clusters#role) see to that.
  - Keys stand in no result, difference, message or command line.
options:
  cluster_name:
    description:
      - Name of the cluster in the mesh. It stands in the certificate.
    type: str
    required: true
  mesh_id:
    description:
      - Name of the mesh. It stands in the certificates.
    type: str
    default: istio
  namespace:
    description:
      - Root namespace of the mesh. It is created if it does not exist.
    type: str
    default: istio-system
  root_file:
    description:
      - >-
        File that holds certificate and key of the mesh's root (PEM), on the host that runs the task, which is the
        controller with a local connection. All clusters of a mesh need the same one.
      - >-
        If it does not exist, a root is made and kept there, readable by its owner alone. Whoever has it can speak for
        every workload of the mesh: keep it safe, and a copy of it elsewhere.
    type: path
  root_certificate:
    description:
      - Text of the root's certificate (PEM), where the root is kept otherwise. Several are a bundle.
    type: str
  root_key:
    description:
      - Text of the root's key (PEM), for example from a file that Ansible Vault has encrypted.
    type: str
  certificate:
    description:
      - >-
        Text of an intermediate (PEM) that somebody else has signed for this cluster, with C(key). The root's key is not
        needed then.
    type: str
  key:
    description:
      - Text of the key of C(certificate) (PEM).
    type: str
  chain:
    description:
      - Text of the certificates between C(certificate) and the root (PEM), where there are any.
    type: str
  lifetime_days:
    description:
      - How long an intermediate that is made is valid, though never longer than its root.
    type: int
    default: 730
  root_lifetime_days:
    description:
      - How long a root that is made is valid.
    type: int
    default: 3650
  renew_before_days:
    description:
      - How many days before its end an intermediate is made anew.
    type: int
    default: 60
  rotate:
    description:
      - >-
        The phase in which the root that is given here takes the place of the one that the cluster has. V(trust) lets
        everybody hold both, V(sign) signs by the new one, V(drop) takes the old one away.
      - >-
        Each waits until all proxies, gateways and webhooks of the cluster show it, and is refused while the one before
        is not done. A phase that is behind the cluster already writes nothing. With the root that the cluster had
        before, the same phases lead back.
      - >-
        Every istiod has to run with C(ISTIO_MULTIROOT_MESH). A cluster without C(cacerts), whose proxies get their
        certificates from an istiod elsewhere, is only looked at.
    type: str
    choices: [trust, sign, drop]
  wait_timeout:
    description:
      - Seconds to wait in a phase until all show it. Then the task fails, and a later run goes on from there.
    type: float
    default: 300.0
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
  - service_mesh.istio.ownership
"""

EXAMPLES = r"""
- name: East signs by the root of the mesh, which is made if there is none
  service_mesh.istio.mesh_ca:
    context: east
    mesh_id: shop
    cluster_name: east
    root_file: ~/.istio/shop-root.pem

- name: The root is in files that Ansible Vault has encrypted
  service_mesh.istio.mesh_ca:
    context: east
    mesh_id: shop
    cluster_name: east
    root_certificate: "{{ lookup('ansible.builtin.file', 'shop-root-cert.pem') }}"
    root_key: "{{ lookup('ansible.builtin.file', 'shop-root-key.pem') }}"

- name: Another authority has signed for east, and keeps its root
  service_mesh.istio.mesh_ca:
    context: east
    cluster_name: east
    root_certificate: "{{ lookup('ansible.builtin.file', 'company-root.pem') }}"
    certificate: "{{ lookup('ansible.builtin.file', 'east.pem') }}"
    key: "{{ lookup('ansible.builtin.file', 'east-key.pem') }}"
    chain: "{{ lookup('ansible.builtin.file', 'company-intermediate.pem') }}"

- name: Everybody in east holds the new root beside the old one
  service_mesh.istio.mesh_ca:
    context: east
    mesh_id: shop
    cluster_name: east
    root_file: ~/.istio/shop-root-2027.pem
    rotate: trust
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
rotation:
  description: How far the rotation of the root is in this cluster.
  returned: with C(rotate), also when its proxies lag behind
  type: dict
  contains:
    phase:
      description: The phase that was asked for.
      type: str
    next:
      description: The first phase that is not done; empty when the root has taken the other's place.
      type: str
    wanted:
      description: >-
        The roots that shall be trusted in the end, by subject and fingerprint, or the file in which one is to be made;
        all clusters of a mesh have to mean the same.
      type: list
      elements: str
    before:
      description: The roots that will not be trusted any more, by subject and fingerprint.
      type: list
      elements: str
    proxies:
      description: Number of proxies that were asked.
      type: int
    lagging:
      description: The first 50 of those that are not so far, each with C(where) and C(reason).
      type: list
      elements: dict
    lagging_count:
      description: How many there are.
      type: int
    lagging_pods:
      description: All Pods among them, as M(service_mesh.istio.sidecar_rollout) takes them.
      type: list
      elements: str
trust:
  description: >-
    What the cluster signs by and trusts, without anything secret. In check mode a root that does not exist yet is not
    in it.
  returned: success
  type: dict
  contains:
    source:
      description: The Secret that it stands in; empty where there is none.
      type: str
    roots:
      description: The roots, each with C(subject), C(fingerprint) (SHA-256), C(begins) and C(ends).
      type: list
      elements: dict
    signer:
      description: The same of the certificate by which istiod signs.
      type: dict
    anchor:
      description: Fingerprint of the root to which the signer leads, the first one where there are several.
      type: str
    anchors:
      description: Fingerprints of all of them. A root that is renewed with its key has signed what the former one has.
      type: list
      elements: str
    distributed:
      description: Fingerprints of the roots that the proxies are given.
      type: list
      elements: str
    first_end:
      description: When the first of the certificates ends.
      type: str
    problems:
      description: What is wrong with them.
      type: list
      elements: str
"""

from ..module_utils.task.module import run_module
from ..module_utils.task.operations.mesh_ca import MESH_CA

OPERATION = MESH_CA


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
