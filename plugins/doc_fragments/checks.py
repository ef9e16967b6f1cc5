# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What objects mean together; twin of CHECKS."""

from __future__ import annotations


class ModuleDocFragment:
    """Option ignore_checks, and what the checks are."""

    DOCUMENTATION = r"""
options:
  ignore_checks:
    description:
      - >-
        Codes of checks that are not made. Beyond what the API server and Istio validate object by object, the
        collection checks what objects mean together: the input before any request, and what changes against
        the cluster before the first write. Errors refuse the task, warnings inform.
      - >-
        Errors are V(reserved_name), a C(Gateway) is called V(mesh), which means all sidecars;
        V(reserved_namespace), an object for workloads stands in a namespace in which nothing ever gets a proxy;
        V(weights_zero), a route has several destinations whose weights sum to 0; V(same_workloads), two of a kind
        are for the same workloads, as two without a selector in one namespace; V(mesh_host_taken), two
        C(VirtualService) are for one host of the sidecars; V(gateway_host_taken), two C(VirtualService) take
        every request, or every TLS or TCP connection, for one host on one gateway; V(gateway_conflict), two
        servers are for one host and port of the same gateway Pods; V(subset_not_defined), a route names a subset
        that no C(DestinationRule) defines; V(subset_in_use), a subset goes away to which a C(VirtualService)
        still routes. Objects whose labels C(istio.io/rev) differ are not compared, because no istiod reads both.
      - >-
        Warnings are V(weights_not_100), the weights of a route with several destinations do not sum to 100, which
        are relative then; V(gateway_not_defined), a C(VirtualService) is for a C(Gateway) that does not exist;
        V(rule_shadowed), two C(DestinationRule) of a namespace say the same of one host; V(service_host_taken),
        two C(ServiceEntry) of different namespaces are for one host and seen by the same workloads;
        V(first_allow), a policy is the first that allows something for workloads, which refuses all else from
        then on; V(strict_outside_mesh), mutual TLS becomes V(STRICT) where workloads without a proxy send
        plaintext, be it on single ports. It names those of the policy's own scope (its namespace, or all of them for
        one in the root namespace); who sends from another namespace is not looked for.
      - >-
        In check mode V(subset_not_defined) and V(subset_in_use) are warnings, because a task before this one may
        only have planned what is missing, and so they are where only a part of the cluster may be read.
        V(gateway_not_defined) is told with doubt then.
    type: list
    elements: str
    default: []
"""
