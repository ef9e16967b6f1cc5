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
    rights. Changes it, upgrades it and removes it.
  - >-
    A gateway gets its proxy by injection. So it follows the control plane by a restart: where its Pods have the proxy
    of another revision or version than they would get today, the plan changes an annotation of the Pod template, and
    Kubernetes renews the Pods one after the other. The task ends when all of them are injected and available.
  - Which ports and hosts it serves is said by M(service_mesh.istio.gateway).
options:
  name:
    description:
      - >-
        Name of the gateway, of its Deployment and of its Service, at most 53 characters. Its Pods carry the label
        C(app) with this name and C(istio) with it, without a leading C(istio-).
    type: str
    required: true
  namespace:
    description:
      - Namespace of the gateway. It is created if it does not exist, and stays when the gateway is removed.
    type: str
    required: true
  type:
    description:
      - >-
        What the gateway is for. V(ingress) is traffic that comes into the mesh, V(egress) traffic that leaves it; the
        Service of the latter is a V(ClusterIP) unless C(service.type) says otherwise.
      - >-
        V(eastwest) is traffic between the clusters of a mesh that lie in different networks. Its ports are fixed. What
        it lets through is said by a Gateway object (C(AUTO_PASSTHROUGH) on port 15443), which is configuration.
    type: str
    choices: [ingress, egress, eastwest]
    default: ingress
  network:
    description:
      - The network whose door a gateway of type V(eastwest) is.
    type: str
  revision:
    description:
      - >-
        Revision (or tag) of the control plane that injects the proxy. By default the one that the labels of the
        namespace ask for, or the default one. A revision that would not inject the Pods is refused.
    type: str
  replicas:
    description:
      - Number of Pods, without autoscaling. By default the chart's autoscaling decides.
    type: int
  autoscaling:
    description:
      - The number of Pods follows their load. What is not said is left to the chart (1 to 5 Pods, 80 percent).
    type: dict
    suboptions:
      min:
        description: Number of Pods at least.
        type: int
      max:
        description: Number of Pods at most.
        type: int
      cpu:
        description: Use of the requested CPU, in percent, that is aimed at.
        type: int
  resources:
    description:
      - What each Pod may use, in the form of Kubernetes.
    type: dict
    suboptions:
      requests:
        description: What is set aside for it.
        type: dict
      limits:
        description: What it gets at most.
        type: dict
  affinity:
    description:
      - On which nodes, and beside which Pods, it may run, in the form of Kubernetes.
    type: dict
  node_selector:
    description:
      - Labels that its nodes must have.
    type: dict
  tolerations:
    description:
      - Taints of nodes that it puts up with, in the form of Kubernetes.
    type: list
    elements: dict
  topology_spread_constraints:
    description:
      - How its Pods are spread over nodes and zones, in the form of Kubernetes.
    type: list
    elements: dict
  service:
    description:
      - The Service in front of the gateway. What is not said is left to the chart.
    type: dict
    suboptions:
      type:
        description: Type of the Service; V(None) deploys no Service. The chart's default is V(LoadBalancer).
        type: str
        choices: [LoadBalancer, NodePort, ClusterIP, None]
      ports:
        description:
          - >-
            All ports of the Service. The chart's own are V(15021) (health), V(80) and V(443); a load balancer that
            checks the health by the first one needs it in this list, too.
        type: list
        elements: dict
        suboptions:
          name:
            description:
              - Its name, which begins with its protocol, like V(http2) or V(tls-shop), so that Istio can read it.
            type: str
            required: true
          port:
            description: Its number.
            type: int
            required: true
          target_port:
            description: The port of the Pods, by default the same.
            type: int
          node_port:
            description: The port of the nodes, by default one that Kubernetes chooses.
            type: int
          protocol:
            description: What carries it.
            type: str
            choices: [TCP, UDP]
            default: TCP
          app_protocol:
            description: What it carries, where its name does not say it.
            type: str
      annotations:
        description: Annotations of the Service, with which clouds are told about their load balancers.
        type: dict
      cluster_ip:
        description: Its address in the cluster.
        type: str
      external_ips:
        description: Addresses from outside that lead to the nodes.
        type: list
        elements: str
      external_traffic_policy:
        description: V(Local) keeps the address of the client, and uses only Pods of the node that was asked.
        type: str
        choices: [Cluster, Local]
      internal_traffic_policy:
        description: The same for traffic from inside.
        type: str
        choices: [Cluster, Local]
      ip_families:
        description: Families of its addresses, the first one first.
        type: list
        elements: str
        choices: [IPv4, IPv6]
      ip_family_policy:
        description: Whether it has addresses of both families.
        type: str
        choices: [SingleStack, PreferDualStack, RequireDualStack]
      load_balancer_class:
        description: Which load balancer is responsible.
        type: str
      load_balancer_ip:
        description: The address that a load balancer is asked for.
        type: str
      load_balancer_source_ranges:
        description: Networks (CIDR) whose clients a load balancer lets in.
        type: list
        elements: str
  pod_disruption_budget:
    description:
      - How many Pods a drain of nodes must leave, or may take. It needs two replicas or more.
    type: dict
    suboptions:
      min_available:
        description: A number, or a percentage.
        type: raw
      max_unavailable:
        description: A number, or a percentage. Excludes C(min_available).
        type: raw
  labels:
    description:
      - >-
        Labels of all objects and Pods. V(app) and V(istio) among them are also those by which the Deployment selects
        its Pods, which cannot change: see C(replace).
    type: dict
  annotations:
    description:
      - Annotations of all objects.
    type: dict
  env:
    description:
      - Environment variables of the proxy.
    type: dict
  pull_secrets:
    description:
      - Names of Secrets in the namespace with which the image is pulled.
    type: list
    elements: str
    default: []
  values:
    description:
      - >-
        Values for the chart, for what no option says. They are merged over what the options above say. A key that the
        chart does not know is refused.
    type: dict
  replace:
    description:
      - >-
        What to do when the labels by which the Deployment selects its Pods change, which Kubernetes does not allow.
        V(refuse) says so and changes nothing.
      - >-
        V(beside) deploys a new one beside it, under another name. When its Pods are ready, the Service moves to them,
        and when no request goes to the old ones any more, the old Deployment is removed.
    type: str
    choices: [refuse, beside]
    default: refuse
extends_documentation_fragment:
  - service_mesh.istio.adoption
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
  - service_mesh.istio.state
  - service_mesh.istio.ownership
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

- name: Partners come in by a gateway of their own
  service_mesh.istio.gateway_deployment:
    context: east
    version: 1.29.1
    name: partners
    namespace: istio-partners
    revision: prod-stable
    autoscaling: {min: 2, max: 10, cpu: 70}
    pod_disruption_budget: {min_available: 1}
    resources:
      requests: {cpu: 500m, memory: 256Mi}
    service:
      load_balancer_source_ranges: [192.0.2.0/24]
      external_traffic_policy: Local
      ports:
        - {name: status-port, port: 15021}
        - {name: https, port: 443, target_port: 8443}

- name: What leaves the mesh leaves it here
  service_mesh.istio.gateway_deployment:
    context: east
    version: 1.29.1
    name: egress
    namespace: istio-egress
    type: egress
    replicas: 2

- name: The other clusters' way into this network
  service_mesh.istio.gateway_deployment:
    context: east
    version: 1.29.1
    name: eastwest
    namespace: istio-system
    type: eastwest
    network: net1

- name: The Pods bear other labels from now on, without an outage
  service_mesh.istio.gateway_deployment:
    context: east
    version: 1.29.1
    name: ingress
    namespace: istio-ingress
    labels: {app: edge}
    replace: beside

- name: What Helm has installed is taken over, and nothing of it changes
  service_mesh.istio.gateway_deployment:
    context: east
    version: 1.29.1
    name: ingress
    namespace: istio-ingress
    adopt: [helm]

- name: Partners have left
  service_mesh.istio.gateway_deployment:
    context: east
    version: 1.29.1
    name: partners
    namespace: istio-partners
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
adopted:
  description:
    - >-
      What was taken over; the number of C(objects), the C(managers) that have no part in them any more, and the Helm
      C(releases) that are retired, each with the command that puts it back (C(put_back)).
  returned: success, with O(adopt)
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
workload:
  description: The name of its Deployment, which changes with a replacement beside; empty for a removed gateway.
  returned: success
  type: str
addresses:
  description: Where it is reached from outside, by its load balancer or by external addresses of the Service.
  returned: success
  type: list
  elements: str
  sample: [198.51.100.7]
restarts:
  description: The restart that the plan brings, because Pods have another proxy than they would get today.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the workload.
      type: str
    namespace:
      description: Its namespace.
      type: str
    name:
      description: Its name.
      type: str
    pods:
      description: How many Pods have another proxy.
      type: int
    reason:
      description: What they have, and what they get.
      type: str
    how:
      description: V(restart), which renews one Pod after the other.
      type: str
    gateway:
      description: Always V(true).
      type: bool
"""

from ..module_utils.task.module import run_module
from ..module_utils.task.operations.gateway_deployment import GATEWAY_DEPLOYMENT

OPERATION = GATEWAY_DEPLOYMENT


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
