#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Go through the phases of an upgrade."""

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade
short_description: Go through the phases of an upgrade
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - >-
    Everything of an upgrade but the control plane itself, which M(service_mesh.istio.control_plane) installs. The
    playbooks of the role P(service_mesh.istio.mesh_upgrade#role) call both in order.
  - >-
    What an upgrade goes from and to, and how labels, tags and webhooks were before it, is in a ConfigMap of the root
    namespace (C(service-mesh-istio-upgrade)). So any phase may be repeated, and gone on with from any machine.
  - >-
    C(phase=start) refuses a version that is too far away, then writes that record, once. C(phase=shift) lets
    namespaces be injected by the new revision, and
    restarts what then runs an old proxy. C(phase=complete) refuses while anything needs the old revision, lets the
    new one be the default for injection and configuration, and asks by dry runs whether configuration is still
    accepted. C(phase=close) removes the record when the old control plane is gone.
  - >-
    C(phase=restore) puts labels, tags and webhooks back exactly, down to who manages which field. C(phase=rollback)
    does so, restarts what runs a new proxy, removes the record, and tells what remains. In place, the old version of
    the control plane is installed between the two. Both refuse once the removal of the old control plane has begun.
options:
  phase:
    description:
      - What is done. Without an upgrade under way, all but V(start) and V(shift) do nothing.
    type: str
    choices: [start, shift, complete, close, restore, rollback]
    required: true
  strategy:
    description:
      - >-
        For C(phase=start). V(in_place) means that the revision becomes the next version, V(revision) that a second
        control plane is installed beside the first, which a mesh in C(mode=hosted) refuses.
    type: str
    choices: [in_place, revision]
    default: in_place
  version:
    description:
      - For C(phase=start), the version of Istio that is wanted.
    type: str
  revision:
    description:
      - >-
        For C(phase=start), the revision that has the new version in the end. Without it, the control plane that has
        no revision is meant.
    type: str
  from_revision:
    description:
      - >-
        For C(phase=start) with C(strategy=revision), the revision that is left; V(default) is the one without a name.
        Needed only where there are several.
    type: str
  namespace:
    description:
      - Root namespace of the mesh, in which istiod runs.
    type: str
    default: istio-system
  namespaces:
    description:
      - For C(phase=shift), the namespaces that move. An empty list moves none.
    type: list
    elements: str
  selector:
    description:
      - >-
        For C(phase=shift), a label selector of namespaces, as C(kubectl) takes it. Of these, what uses the old
        revision moves.
    type: str
  percentage:
    description:
      - >-
        For C(phase=shift), the share of the namespaces with the old revision that moves. It is decided by the name
        alone, so that a larger percentage contains the smaller one.
    type: int
  tag:
    description:
      - >-
        For C(phase=shift) with C(strategy=revision), the revision tag that moves, and with it the namespaces that
        bear it.
    type: str
  restart:
    description:
      - >-
        For C(phase=shift), whether Deployments, StatefulSets and DaemonSets whose Pods run an old proxy are restarted
        and waited for. Bare Pods, those of Jobs, and what has the strategy C(OnDelete) are told.
    type: bool
    default: true
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
  - service_mesh.istio.mode
  - service_mesh.istio.ownership
  - service_mesh.istio.rollout
"""

EXAMPLES = r"""
- name: How everything is before the upgrade is remembered
  service_mesh.istio.upgrade:
    context: east
    phase: start
    strategy: revision
    version: 1.31.0
    revision: 1-31-0

- name: A tenth of the namespaces runs proxies of the new revision
  service_mesh.istio.upgrade:
    context: east
    phase: shift
    percentage: 10

- name: Everything is as it was before the upgrade
  service_mesh.istio.upgrade:
    context: east
    phase: rollback
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
upgrade:
  description: The upgrade that is under way.
  returned: success
  type: dict
  sample:
    open: true
    strategy: revision
    from: {version: 1.29.1, revision: default}
    to: {version: 1.31.0, revision: 1-31-0}
namespaces:
  description: The namespaces that were chosen, whether they had moved before or not.
  returned: success, with C(phase=shift)
  type: list
  elements: str
rollout:
  description: >-
    How far the restarts have come, as C(sidecar_rollout) tells it: the state, the waves with their workloads, and what
    is left.
  returned: success, with C(phase=shift) that restarts and C(phase=rollback), and when a rollout has stopped
  type: dict
remains:
  description: >-
    What a roll-back leaves for people, each with kind, namespace, name and how it is bound to the new version.
  returned: success, with C(phase=rollback) of an upgrade under way
  type: list
  elements: dict
"""

from ..module_utils.task.module import run_module
from ..module_utils.task.operations.upgrade import UPGRADE

OPERATION = UPGRADE


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
