#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell who has a sidecar, who would get one, and why."""

from __future__ import annotations

DOCUMENTATION = r"""
module: injection_info
short_description: Tell who has a sidecar, who would get one, and why
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - >-
    Compares what running Pods have with what a new Pod would get. The latter is found by evaluating the cluster's
    own injection webhooks and what each istiod is told, so it is right whoever installed them.
  - >-
    Nothing is written. Each kind is read by one LIST of the whole cluster, or namespace by namespace where only a few
    are asked for or the whole may not be read.
options:
  namespaces:
    description:
      - Namespaces to look at. All, but for Kubernetes' own, unless something is named.
      - Those of C(explain) and C(what_if) are looked at as well, and alone where nothing else is named.
    type: list
    elements: str
    default: []
  selector:
    description: Label selector of the namespaces to look at, such as V(team=shop).
    type: str
  allow_partial:
    description:
      - Whether to go on without the namespaces whose Pods or workloads may not be read. They are named in C(unread).
      - Otherwise such a namespace is an error.
    type: bool
    default: false
  explain:
    description:
      - What shall be explained in a sentence or two, as V(namespace/pod), V(namespace/workload),
        V(namespace/Deployment/workload), or a V(namespace) alone.
    type: list
    elements: str
    default: []
  what_if:
    description:
      - Labels as they might be. C(what_if) of the result tells what would then be decided otherwise, and what would
        have to restart for it.
    type: list
    elements: dict
    default: []
    suboptions:
      namespace:
        description: Namespace whose labels would be others, or in which the workload is.
        type: str
        required: true
      workload:
        description: >-
          Name of the workload whose Pods would have other labels, if need be with its kind, as V(Deployment/web).
        type: str
      labels:
        description: Labels and their values; V(null) takes one away.
        type: dict
      annotations:
        description: The same for annotations of the Pods of a workload.
        type: dict
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
  - service_mesh.istio.workload_kinds
"""

EXAMPLES = r"""
- name: Who has a sidecar
  service_mesh.istio.injection_info:
    context: east
  register: sidecars

- name: Everything runs what it should
  ansible.builtin.assert:
    that: sidecars.injection.summary.pending_restart + sidecars.injection.summary.failed == 0

- name: Why has this namespace no sidecars
  service_mesh.istio.injection_info:
    context: east
    explain: [shop]

- name: What would the label of another revision change
  service_mesh.istio.injection_info:
    context: east
    what_if:
      - namespace: shop
        labels:
          istio.io/rev: canary
          istio-injection: null
"""

RETURN = r"""
injection:
  description: What the cluster has of sidecars.
  returned: success
  type: dict
  contains:
    cluster:
      description: Name of the cluster, as the connection names it.
      type: str
    summary:
      description: >-
        Number of workloads by state (C(injected), C(not_injected), C(pending_restart), C(failed)), and C(pods) with
        the numbers of all their Pods (C(total), C(injected), C(pending), C(failed)).
      type: dict
    namespaces:
      description: >-
        Each namespace with C(name), C(state), the C(labels) that decide, C(desired) (what a Pod without labels of its
        own would get), and the numbers of its C(workloads) by state and of its C(pods).
      type: list
      elements: dict
    workloads:
      description: Each workload. Pods that are on their way out do not count.
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
        state:
          description: >-
            V(failed) where a proxy does not run or a Pod with a proxy cannot be made, V(pending_restart) where Pods
            have another proxy than new ones would get, otherwise V(injected) or V(not_injected).
          type: str
        pods:
          description: Numbers of its Pods, C(total), C(injected), C(pending) and C(failed).
          type: dict
        desired:
          description: What a new Pod would get.
          type: dict
          contains:
            injected:
              description: Whether it gets a sidecar.
              type: bool
            revision:
              description: Of which revision; empty for none.
              type: str
            tag:
              description: By which tag, if any.
              type: str
            version:
              description: Of which version.
              type: str
            webhook:
              description: The webhook that decides, as configuration/webhook; empty where none matches.
              type: str
            rule:
              description: A word for the rule that decides. The page docs/injection.md has a table of them.
              type: str
            label:
              description: The label that decides, if one does.
              type: str
            because:
              description: The reason, as part of a sentence.
              type: str
            others:
              description: Webhooks that would inject it as well, which is a fault.
              type: list
              elements: str
            doubt:
              description: What could not be read, so that the answer may be wrong.
              type: str
        effective:
          description: >-
            The different proxies of its Pods, each with C(version), C(revision), C(native), C(image), C(resources) and
            the number of C(pods) that have it.
          type: list
          elements: dict
        reasons:
          description: Why it fails or has to restart, each reason once.
          type: list
          elements: str
    apart:
      description: >-
        The same of Pods that no workload makes again. C(why_apart) is V(bare), V(job), V(completed) or V(unknown_kind).
      type: list
      elements: dict
    unread:
      description: Namespaces that could not be judged, with C(namespace) and C(reason).
      type: list
      elements: dict
    explanations:
      description: What was asked for, with C(object) and C(text).
      returned: when something is to be explained
      type: list
      elements: dict
    what_if:
      description: >-
        What would be decided otherwise, with C(kind), C(namespace), C(name), C(text), and C(restart) (whether Pods
        that run would then have to restart).
      returned: when asked for
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
from ..module_utils.task.operations.injection_info import INJECTION_INFO

OPERATION = INJECTION_INFO


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
