#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what stands in the way of installing, upgrading or removing Istio."""

from __future__ import annotations

DOCUMENTATION = r"""
module: precheck
short_description: Tell what stands in the way of installing, upgrading or removing Istio
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - >-
    Reads the cluster once, changes nothing, and judges whether an operation can go well. Blockers fail the task, all of
    them at once, in check mode too; warnings inform.
  - >-
    What may not be read is no reason to fail. There is a warning, with the code V(not_readable), which names verb and
    resource, and the checks that were not made for it.
options:
  operation:
    description:
      - What shall be done.
      - >-
        V(install) is for C(version) to be there, whatever is there now. V(upgrade) is the same where there is a
        control plane already. Where the revision is there, the path in place is judged, and otherwise the one by
        revision.
      - >-
        V(uninstall) is for the revision to go, V(leave) for the cluster to leave its mesh. One that is served from
        elsewhere loses its control plane by that, so nothing may be left that needs it; one with a control plane of its
        own goes on alone.
    type: str
    choices: [install, upgrade, uninstall, leave]
    required: true
  version:
    description:
      - The version of Istio that shall be there. V(install) and V(upgrade) cannot be without it.
    type: str
  revision:
    description:
      - The revision that it is about. Without it, the control plane without a revision.
    type: str
  namespace:
    description:
      - The namespace of the control plane.
    type: str
    default: istio-system
  image_hub:
    description:
      - Registry and path from which images shall come.
    type: str
    default: docker.io/istio
  ignore_checks:
    description:
      - >-
        Codes of checks whose blockers shall be warnings. Where the version runs already they all are but
        V(permission_missing), because another run makes nothing worse.
      - >-
        Blockers of V(install) and V(upgrade) are V(kubernetes_version), the API server or a node has a version
        of Kubernetes with which this Istio does not work; V(nothing_installed), there is no control plane that
        could be upgraded; V(downgrade), the revision has a newer Istio already; V(skipped_minor), minor
        releases would be skipped, of which one is a step in place, and two by revision; V(proxy_skew), proxies
        are newer than the control plane would be, or more than two minor releases older; V(withdrawn_version),
        nobody should begin to use this version, for a hole that the next patch closes; V(dead_image_host), the
        version is not published at this host of images, or nothing is any more; V(gateway_api_bundle), there
        are routes of the Gateway API that this Istio would ignore, for the version of their CRD;
        V(permission_missing), the user of the connection may not do what has to be done; V(limit_range), a
        LimitRange would refuse istiod or sidecars; V(webhook_without_service), a webhook that fails closed
        calls a Service that does not exist; V(system_namespace_injected), an injector is asked for every Pod of
        one of Kubernetes' own namespaces; V(certificate_expired), a certificate of the mesh's authority or of a
        webhook has expired.
      - >-
        Blockers of V(uninstall) and V(leave) are V(permission_missing), the user of the connection may not do
        what has to be done; V(mesh_protected), the control plane is protected from being removed;
        V(sidecars_left), Pods still have a proxy of this control plane; V(gateways_left),
        gateways still run by this control plane; V(revision_in_use), namespaces, workloads, tags, validators or
        configuration still refer to the revision.
      - >-
        A blocker of V(uninstall) alone is V(serves_others), clusters that stay are served by this control plane, which
        what leads them to it shows.
      - >-
        A warning of V(leave), where the cluster has a control plane of its own, is V(calls_end), Pods go on with the
        control plane of this cluster, and reach nothing in the others any more.
      - >-
        Warnings of V(install) and V(upgrade) are V(unknown_release), the version is newer than what this
        collection knows; V(end_of_life), the version, or one that runs, is not supported any more;
        V(security_patch_missing), the version, or one that runs, lacks security corrections;
        V(image_host_ends), images come from a host that Istio gives up; V(webhook_without_endpoints), a webhook
        that fails closed calls a Service behind which nothing is ready; V(leftovers), parts of an Istio that is
        gone are still there; V(capacity), no node has room for one more istiod, of which there are two for a
        while; V(disruption_budget), a PodDisruptionBudget lets no Pod go; V(envoy_filters), an EnvoyFilter
        patches what may look different in the new version; V(envoy_filter_renamed), an EnvoyFilter names a
        filter that has another name in the new version; V(deprecated), versions of the API or annotations are
        used that are deprecated; V(certificate_expires), a certificate of the mesh's authority or of a webhook
        expires within 30 days.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
"""

EXAMPLES = r"""
- name: The cluster is ready for Istio
  service_mesh.istio.precheck:
    context: east
    operation: install
    version: 1.30.7

- name: A second control plane can come beside the first
  service_mesh.istio.precheck:
    context: east
    operation: upgrade
    version: 1.31.1
    revision: 1-31-1
    ignore_checks: [permission_missing]
  register: ready

- name: What has to be known before
  ansible.builtin.debug:
    var: ready.precheck.warnings

- name: Nothing needs the old one any more
  service_mesh.istio.precheck:
    context: east
    operation: uninstall
    revision: 1-29-1
"""

RETURN = r"""
precheck:
  description: What was found, when the task fails as well.
  returned: always, but where the cluster could not be read
  type: dict
  contains:
    operation:
      description: The operation.
      type: str
    strategy:
      description: V(in_place) where the revision is there already, V(revision) otherwise.
      type: str
    installed:
      description: Versions that the new one would come after.
      type: list
      elements: str
    blockers:
      description: What stands in the way.
      type: list
      elements: dict
      contains:
        code:
          description: The code of the check.
          type: str
        reason:
          description: What it means.
          type: str
        count:
          description: In how many objects it was found.
          type: int
        objects:
          description: The first 20 of them, each with its reason.
          type: list
          elements: str
        override:
          description: The option that makes it a warning.
          type: str
    warnings:
      description: What is worth to be known, in the same form.
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
from ..module_utils.task.operations.precheck import PRECHECK

OPERATION = PRECHECK


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
