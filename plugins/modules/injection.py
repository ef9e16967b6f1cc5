#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide who gets a sidecar, and how it is set."""

from __future__ import annotations

DOCUMENTATION = r"""
module: injection
short_description: Decide who gets a sidecar, and how it is set
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - >-
    Labels namespaces so that new Pods in them get a sidecar, or do not. Pods that run already keep what they
    have until they are restarted.
  - >-
    Labels the Pod templates of workloads, and sets their sidecars by annotations of the template. Such a change renews
    the Pods of the workload.
  - >-
    Setting one of Istio's labels removes the one that would contradict it, whoever has set it. Nothing else of a
    namespace or a workload is touched.
  - >-
    Refuses, before anything is written, a revision or tag that does not exist, a combination that two injectors would
    match, a namespace whose webhook's istiod is down, and a workload that is to be injected and never would be.
  - The default of the whole mesh is the option C(injection_default) of M(service_mesh.istio.control_plane).
options:
  namespaces:
    description:
      - Namespaces and what they shall have.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the namespace.
        type: str
        required: true
      mode:
        description:
          - V(enabled) injects by the default control plane, V(disabled) never injects, V(clear) removes both labels.
          - V(enabled) unless given. It goes with no C(revision) but V(default).
        type: str
        choices: [enabled, disabled, clear]
      revision:
        description: Revision or tag to inject by, instead of the default control plane.
        type: str
      create:
        description: Create the namespace if it does not exist. Otherwise a missing namespace is an error.
        type: bool
        default: false
  selections:
    description:
      - >-
        Many namespaces at once. A namespace that C(namespaces) names is none of theirs, nor are system namespaces and
        those that are being deleted. Namespaces that are not chosen any more keep what they have.
    type: list
    elements: dict
    default: []
    suboptions:
      selector:
        description: Label selector of the namespaces, such as V(team=shop). All namespaces unless given.
        type: str
      percentage:
        description:
          - >-
            How many of them, from 0 to 100. A namespace's share depends on its name alone, so a larger percentage
            contains the smaller.
        type: int
        default: 100
      mode:
        description: As in C(namespaces).
        type: str
        choices: [enabled, disabled, clear]
      revision:
        description: As in C(namespaces).
        type: str
  workloads:
    description:
      - >-
        Workloads that exist, and what their Pod templates shall say. A setting that is left out of a later run is
        removed.
    type: list
    elements: dict
    default: []
    suboptions:
      namespace:
        description: Namespace of the workload.
        type: str
        required: true
      name:
        description: Name of the workload.
        type: str
        required: true
      kind:
        description: V(Deployment), V(StatefulSet), V(DaemonSet), or a kind of C(workload_kinds).
        type: str
        default: Deployment
      mode:
        description:
          - >-
            V(enabled) injects where the namespace says nothing, V(disabled) never injects, V(clear) removes the label.
            The annotation of the same name, its older form, goes. Neither is touched unless this is given.
        type: str
        choices: [enabled, disabled, clear]
      resources:
        description:
          - >-
            CPU and memory of the sidecar. All four together, because istiod forgets those of the mesh when one is
            given. V(0) is unlimited.
        type: dict
        suboptions:
          cpu_request:
            description: For example V(100m).
            type: str
            required: true
          cpu_limit:
            description: For example V(2), or V(0) for none.
            type: str
            required: true
          memory_request:
            description: With a unit, for example V(128Mi).
            type: str
            required: true
          memory_limit:
            description: With a unit, for example V(1Gi), or V(0) for none.
            type: str
            required: true
      pass_through:
        description:
          - Traffic that passes by the sidecar, and so is not seen, secured or routed by the mesh.
        type: dict
        suboptions:
          inbound_ports:
            description: Ports of the Pod.
            type: list
            elements: int
          outbound_ports:
            description: Ports elsewhere.
            type: list
            elements: int
          outbound_ranges:
            description: Addresses elsewhere, such as V(10.1.0.0/16).
            type: list
            elements: str
      lifecycle:
        description:
          - How the sidecar starts and ends.
        type: dict
        suboptions:
          hold_application:
            description: Whether the application starts only when the sidecar is ready.
            type: bool
          drain_duration:
            description: How long the sidecar goes on after it was told to end, for example V(30s).
            type: str
          exit_on_zero_connections:
            description: Whether the sidecar ends when its last connection does, instead of after a time.
            type: bool
          minimum_drain_duration:
            description: With C(exit_on_zero_connections), how long it goes on at least, for example V(5s).
            type: str
      log_level:
        description:
          - >-
            Log level of the sidecar, for as long as it stands here. M(service_mesh.istio.proxy_log_level) sets it for
            now.
        type: str
        choices: [trace, debug, info, warning, error, critical, 'off']
  discovery_scopes:
    description:
      - >-
        What the sidecars of a namespace know, by a C(Sidecar) called C(default). It takes effect without a restart. The
        services of the root namespace are always known.
    type: list
    elements: dict
    default: []
    suboptions:
      namespace:
        description: Namespace of the sidecars. The root namespace stands for all that have no scope of their own.
        type: str
        required: true
      scope:
        description:
          - >-
            V(own) knows its own namespace, V(list) also those of C(namespaces), V(all) everything. V(mesh) has no scope
            of its own, and removes the one that this module has made.
        type: str
        required: true
        choices: [own, list, all, mesh]
      namespaces:
        description: Other namespaces that are known.
        type: list
        elements: str
        default: []
  discovery_groups:
    description:
      - >-
        Groups of namespaces that know each other, by a name of your choice. Each member gets a scope V(list), or keeps
        V(all).
    type: dict
    default: {}
  system_namespaces:
    description:
      - >-
        Namespaces that are never touched, beside those of Kubernetes and Istio (C(kube-system), C(kube-public),
        C(kube-node-lease), C(local-path-storage), C(istio-operator) and the root namespace).
    type: list
    elements: str
    default: []
  guard_pending_restart:
    description:
      - >-
        Whether a namespace takes no further change while there are Pods in it that were not restarted since the last
        one.
    type: bool
    default: false
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
  - service_mesh.istio.ownership
  - service_mesh.istio.mesh_root
  - service_mesh.istio.workload_kinds
"""

EXAMPLES = r"""
- name: The shop is in the mesh, its batch jobs are not
  service_mesh.istio.injection:
    context: east
    namespaces:
      - name: shop
      - name: shop-batch
        mode: disabled

- name: A tenth of the teams' namespaces move to the new revision
  service_mesh.istio.injection:
    context: east
    selections:
      - selector: kind=team
        percentage: 10
        revision: 1-31-0

- name: The database's clients have larger sidecars, through which its own protocol does not pass
  service_mesh.istio.injection:
    context: east
    workloads:
      - namespace: shop
        name: orders
        resources:
          cpu_request: 200m
          cpu_limit: '0'
          memory_request: 128Mi
          memory_limit: 512Mi
        pass_through:
          outbound_ports: [3306]
        lifecycle:
          hold_application: true

- name: Shop and payment know each other and nothing else, the rest knows its own namespace
  service_mesh.istio.injection:
    context: east
    discovery_groups:
      sales: [shop, payment]
    discovery_scopes:
      - namespace: istio-system
        scope: own
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
