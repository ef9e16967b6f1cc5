#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what is installed and whether it works."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_info
short_description: Tell what is installed and whether it works
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - Reads control planes, gateways, node agents and webhooks of a cluster, whoever installed them.
  - >-
    This costs a handful of requests. What reads every Pod or object of the cluster has to be asked for, by C(gather).
options:
  gather:
    description:
      - What is told beyond the state of the components. Many objects are read by one LIST for each kind, in pages.
      - >-
        V(revisions) is which revisions there are and who uses each, whether by a label of a namespace or a workload, a
        running Pod, a gateway or waypoint, a tag, a validator, or configuration that is for it alone. Workloads without
        Pods, Jobs and CronJobs count.
      - V(pods) is which Pods have a proxy of which version, and which would get another one by a restart.
      - V(owners) is who manages how many fields of the components.
      - >-
        V(drift) is which fields of objects that this collection has applied somebody else has set since, and who and
        when. What Istio and Kubernetes write while they run is no drift. An object in which nothing is ours any more
        cannot be told from one that never was.
      - >-
        V(trust) is by which certificates each control plane signs, which roots it trusts, when they end and what is
        wrong with them. Keys are never told; to read the certificates beside them takes the right to get Secrets.
      - >-
        V(clusters) is which other clusters each control plane reads, by which address, and when its token ends; and the
        uid by which this cluster is known whatever it is called. It takes the right to list Secrets.
    type: list
    elements: str
    choices: [revisions, pods, owners, drift, trust, clusters]
    default: []
    version_added: 0.1.0
  namespace:
    description:
      - >-
        Root namespace of the mesh. Trust and clusters are told of it even when there is no control plane in it yet;
        other namespaces are looked at where they have one. The names of mesh, cluster and network are those of its
        control plane (in a remote cluster those that this collection has recorded), and of another one only where it
        has none.
    type: str
    default: istio-system
    version_added: 0.1.0
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
"""

EXAMPLES = r"""
- name: The state of the mesh
  service_mesh.istio.mesh_info:
    context: east
  register: east

- name: Who still uses which revision
  service_mesh.istio.mesh_info:
    context: east
    gather: [revisions, pods, drift]
  register: details

- name: It works
  ansible.builtin.assert:
    that: east.mesh.ready
"""

RETURN = r"""
mesh:
  description: What the cluster has.
  returned: success
  type: dict
  contains:
    cluster:
      description: Name of the cluster, as the connection names it.
      type: str
    kubernetes:
      description: Version of the API server.
      type: str
    versions:
      description: >-
        Versions of Istio that run in the cluster, and those of the charts by which a control plane elsewhere is
        reached.
      type: list
      elements: str
    ready:
      description: >-
        Whether there is a control plane, here or in the cluster that serves this one (C(served_by)), and every
        component is ready. A remote cluster has injectors and gateways to be judged by; its validator stays open by
        design, and is ready so.
      type: bool
    mode:
      description: >-
        The mode that fits, V(dedicated) where this collection has installed Istio, V(hosted) where it has installed
        what leads to a control plane elsewhere, and V(external) otherwise.
      type: str
    mesh_id:
      description: Name of the mesh, as the charts were told it.
      type: str
    cluster_name:
      description: Name of the cluster in the mesh.
      type: str
    network:
      description: Network of the cluster.
      type: str
    trust_domain:
      description: >-
        Trust domain of the mesh, as the charts were told it. Empty where their values are not read, which they are with
        C(gather=[clusters]), and in remote clusters.
      type: str
    control_planes:
      description: Control planes, with revision, version, image, owner, replicas, state, and reasons where not ready.
      type: list
      elements: dict
    served_by:
      description: >-
        Revisions that inject here and have their control plane in another cluster, each with C(namespace), C(revision),
        C(primary) (that cluster's name in the mesh, as the namespace says it), C(version), that of the charts which
        lead there, empty where this collection has not installed them, C(way), which is another one whenever something
        else leads there, and C(seen), the way by which the role P(service_mesh.istio.mesh_clusters#role) has seen a Pod
        being served.
      type: list
      elements: dict
    gateways:
      description: Gateways deployed with an injected proxy; C(network) is the one that an east-west gateway leads to.
      type: list
      elements: dict
    node_agents:
      description: The DaemonSets of cni and ztunnel.
      type: list
      elements: dict
    tags:
      description: Tags, each with the revisions that it stands for.
      type: list
      elements: dict
    support:
      description: >-
        For each version that runs, whether it is supported and until when, whether security corrections are missing,
        and the newest versions that one step reaches in place and by revision.
      type: list
      elements: dict
    revisions:
      description: >-
        Revisions that are there or are referred to. Each has C(in_use), C(users) (how many of each kind) and C(objects)
        (the first 50, and how each refers to it). One with C(exists=false) is a name without control plane and tag.
      returned: when gathered
      type: list
      elements: dict
    pods:
      description: Pods with a proxy by version and revision, and those (the first 100) that a restart would change.
      returned: when gathered
      type: dict
    owners:
      description: Components with those who manage their fields.
      returned: when gathered
      type: list
      elements: dict
    drift:
      description: How many fields have drifted, and the first 200 of them with manager and time.
      returned: when gathered
      type: dict
    trust:
      description: >-
        For each control plane its C(namespace) and what C(trust) of M(service_mesh.istio.mesh_ca) tells.
      returned: when gathered
      type: list
      elements: dict
    clusters:
      description: >-
        C(uid); C(server), the address of the API server by which it was asked; C(pod_ranges), which Kubernetes has
        given to nodes; C(gateways), the Services that lead to a network, each with C(network), C(namespace), C(name),
        C(addresses), C(port), C(by_nodes) and C(istio_label), the label C(istio) of its Pods; C(remote_secrets), each
        with C(namespace), C(name), C(cluster), C(server), C(token_ends) (empty for a token that never ends),
        C(token_state) (V(valid), V(due), V(expired), V(endless) or V(unreadable)), C(account) (whose token it is) and
        C(ours); and C(unread), what of all this the user may not read, each with C(verb), C(resource) and C(namespace).
      returned: when gathered
      type: dict
    webhooks:
      description: Webhooks of the control planes, with revision, tag, owner and state.
      type: list
      elements: dict
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
from ..module_utils.task.operations.mesh_info import MESH_INFO

OPERATION = MESH_INFO


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
