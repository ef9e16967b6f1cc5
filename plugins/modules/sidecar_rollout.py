#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restart what runs another proxy than it would get, in waves."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sidecar_rollout
short_description: Restart what runs another proxy than it would get, in waves
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - >-
    Restarts the Deployments, StatefulSets and DaemonSets with Pods whose proxy is not the one that they would get
    today, and nothing else. Each is waited for until all its Pods are there and ready, with the proxy.
  - >-
    Waves restart one after the other, with gates between them. Nothing is remembered between runs but what the cluster
    shows: a run that was cut off, or has stopped, is simply repeated.
  - >-
    What cannot restart, or not without downtime, is told with the reason and left alone: bare Pods, those of Jobs and
    of kinds that only their own tools restart, what has the strategy C(OnDelete), is paused, or has the label
    C(service-mesh-istio/freeze), itself or its namespace.
options:
  namespaces:
    description: Only Pods of these namespaces are looked at. An empty list means none, no list means all.
    type: list
    elements: str
  selector:
    description: Only Pods of namespaces with these labels are looked at.
    type: str
  allow_partial:
    description: Whether to go on with the rest where some namespaces may not be read. They are told.
    type: bool
    default: false
  pods:
    description:
      - >-
        Pods, as C(NAMESPACE/NAME), whose workloads restart whatever proxies they have, and no others; for example
        because they present certificates of an old root. Pods that are gone count for nothing.
    type: list
    elements: str
    default: []
  namespace:
    description: Root namespace of the mesh, in which approval is asked for.
    type: str
    default: istio-system
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
  - service_mesh.istio.rollout
"""

EXAMPLES = r"""
- name: All proxies are what they should be
  service_mesh.istio.sidecar_rollout:
    context: east

- name: A canary first, then a tenth, then the rest, while requests succeed
  service_mesh.istio.sidecar_rollout:
    context: east
    waves:
      - name: canary
        namespaces: [shop-canary]
      - name: tenth
        percentage: 10
      - name: rest
        gates:
          - approve_within: 3600
    pause: 120
    prometheus:
      url: http://prometheus.example.com:9090
    gates:
      - name: success rate
        query: >-
          sum(rate(istio_requests_total{response_code!~"5.."}[2m])) / sum(rate(istio_requests_total[2m]))
        min: 0.99
    on_failure: undo
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
      description: Why, here how its proxies differ.
      type: str
summary:
  description: Number of objects by action.
  returned: success
  type: dict
  sample: {create: 0, update: 1, delete: 0, unchanged: 0}
requests:
  description: Number of requests by verb. Dry runs are counted apart; they persist nothing.
  returned: success
  type: dict
  sample: {get: 1, "apply (dry run)": 1, apply: 1}
failure:
  description: What went wrong, for playbooks. The code V(rollout_stopped) means that a workload failed, V(gate) a gate.
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
rollout:
  description: How far it has come.
  returned: success, and when a rollout has stopped
  type: dict
  contains:
    state:
      description: V(planned) in check mode; V(done), V(outside_window), V(stopped) or V(undone).
      type: str
    waves:
      description: >-
        Each with its name, its state (V(waiting), V(running), V(done), V(failed) or V(undone)), the number of its
        workloads, and the first 200 of them with the reason and the state (V(waiting), V(restarting), V(restarted),
        V(left), V(failed) or V(undone)).
      type: list
      elements: dict
    left:
      description: >-
        Workloads with other proxies that are not restarted: their number, and the first 200 of them with C(how)
        (V(by_hand), V(delete_pods), V(paused), V(partition), V(downtime), V(frozen), V(terminating), V(gone) or
        V(no_wave)) and C(why).
      type: dict
not_read:
  description: Namespaces that may not be read.
  returned: success
  type: list
  elements: str
"""

from ..module_utils.task.module import run_module
from ..module_utils.task.operations.sidecar_rollout import SIDECAR_ROLLOUT

OPERATION = SIDECAR_ROLLOUT


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
