# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restarts in waves; twin of ROLLOUT."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of waves and gates."""

    DOCUMENTATION = r"""
options:
  waves:
    description:
      - >-
        Waves, in order; one after the other restarts, and after one that has failed no other begins. Without waves,
        everything is one.
      - >-
        Each says by one of C(namespaces), C(selector), C(percentage) and C(workloads) what is in it. One that says none
        of them is for the rest. What is in no wave is not restarted.
      - >-
        No two waves may claim one workload. What C(percentage) and the rest mean is what no wave claims by name or
        label.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the wave, for messages and for approval.
        type: str
        required: true
      namespaces:
        description: Names of namespaces.
        type: list
        elements: str
      selector:
        description: Label selector of namespaces, as C(kubectl) takes it.
        type: str
      percentage:
        description: >-
          Share of the namespaces. It is decided by the name alone, so that a larger percentage contains the smaller.
        type: int
      workloads:
        description: Single workloads.
        type: list
        elements: dict
        suboptions:
          kind:
            description: V(Deployment), V(StatefulSet) or V(DaemonSet).
            type: str
            default: Deployment
          namespace:
            description: Its namespace.
            type: str
            required: true
          name:
            description: Its name.
            type: str
            required: true
      gates:
        description: What has to hold before this wave begins, besides the C(gates) of all waves.
        type: list
        elements: dict
        default: []
        suboptions: &gate
          name:
            description: Name of the gate, for messages.
            type: str
          query:
            description: PromQL; each of its values has to be within C(min) and C(max). No data is a failure.
            type: str
          min:
            description: The least value.
            type: float
          max:
            description: The greatest value.
            type: float
          url:
            description: Address that has to answer with a status from 200 to 299.
            type: str
          approve_within:
            description: Seconds to wait until a person approves the wave; how is told while it is waited for.
            type: float
      pause:
        description: Seconds to wait after this wave, instead of C(pause).
        type: float
      max_parallel:
        description: Workloads of this wave that restart at the same time, instead of C(max_parallel).
        type: int
  max_parallel:
    description: Workloads that restart at the same time.
    type: int
    default: 4
  failure_budget:
    description: Workloads that may fail, in all waves together, before the rollout stops.
    type: int
    default: 0
  pause:
    description: Seconds to wait after a wave, before its gates are asked.
    type: float
    default: 0.0
  window:
    description: >-
      When restarts may begin. Outside of it nothing new begins, what has begun is finished, and the task ends without
      an error; a later run goes on.
    type: dict
    suboptions:
      begin:
        description: Hour at which it opens, for example V("22:00").
        type: str
        required: true
      end:
        description: Hour at which it closes; on the next day when it is not after C(begin).
        type: str
        required: true
      days:
        description: Days on which it opens. Every day, unless given.
        type: list
        elements: str
        choices: [monday, tuesday, wednesday, thursday, friday, saturday, sunday]
      timezone:
        description: Time zone of the hours, for example V(Europe/Berlin).
        type: str
        default: UTC
  gates:
    description: >-
      What has to hold before the first wave and after every wave. Approval is asked for before every wave but the
      first.
    type: list
    elements: dict
    default: []
    suboptions: *gate
  prometheus:
    description: Where queries are asked.
    type: dict
    suboptions:
      url:
        description: Address of Prometheus, or of what answers like it.
        type: str
        required: true
      token:
        description: Bearer token.
        type: str
      username:
        description: Name for basic authentication.
        type: str
      password:
        description: Password for basic authentication.
        type: str
      ca_cert:
        description: File with the certificates of the authorities to trust.
        type: path
      validate_certs:
        description: Whether the server's certificate is checked.
        type: bool
        default: true
      timeout:
        description: Seconds to wait for an answer.
        type: float
        default: 10.0
  on_failure:
    description:
      - V(stop) leaves everything as it is then, and says what was done.
      - >-
        V(undo) also takes back the wave that failed. Workloads that have not become ready go back to the Pods that they
        still have.
    type: str
    choices: [stop, undo]
    default: stop
  allow_downtime:
    description: >-
      Whether to restart also what cannot be renewed without all its Pods being away at once, or more of them than a
      PodDisruptionBudget allows. Otherwise such workloads are told and left alone.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait for each workload that restarts, and for Pods that are being deleted.
    type: float
    default: 300.0
"""
