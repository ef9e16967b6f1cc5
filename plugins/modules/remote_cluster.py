#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let the control plane of one cluster read another one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: remote_cluster
short_description: Let the control plane of one cluster read another one
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - >-
    Registers a cluster with the istiod of another one, the primary, which then knows its services and endpoints. The
    connection options of the task are those of the primary; C(remote) holds those of the cluster that is read.
  - >-
    In the remote there is an account for each primary that reads it, with rights to read and nothing else, and a token
    that ends. In the primary there is the Secret C(istio-remote-secret-NAME) with it. Credentials of the task's own
    connections, such as exec plugins and client certificates, are never copied: istiod could not use them.
  - >-
    A token is renewed when less than a third of its life is left, so run this often enough; otherwise a second run
    writes nothing. The old token is revoked when every istiod of the primary that is ready says that it is synced with
    the remote (C(wait_timeout)). By which token it does not say; so where a Secret changes in place, it is asked until
    a second after that at least, by when it has heard of the change. Both clusters are planned before either is
    written.
  - >-
    An istiod of a version that does not take up a Secret which changes in place reads the remote by another Secret,
    C(istio-remote-secret-NAME-token-renewal), while that one is deleted and created, so that it loses no endpoint. It
    is gone afterwards, or with the next run. Where it serves the remote (C(serves)) and keeps what it has read until it
    is restarted (Istio 1.29.0 to 1.29.2), the Secret is changed in place, and it is restarted by the annotation of
    C(kubectl rollout restart).
  - >-
    Istiods are asked by a command in their Pods, which needs rights for C(pods/exec) in the primary. Without them a
    token is renewed all the same, with a warning.
  - Tokens stand in no result, difference, message or command line.
options:
  cluster_name:
    description:
      - >-
        Name of the remote cluster in the mesh, which its own control plane or proxies were given
        (C(global.multiCluster.clusterName)).
    type: str
    required: true
  primary:
    description:
      - Name of the reading cluster in the mesh. The account in the remote bears it.
    type: str
    required: true
  namespace:
    description:
      - Root namespace of the mesh in the primary.
    type: str
    default: istio-system
  remote_namespace:
    description:
      - >-
        Namespace of the remote for the account; the one of C(namespace) unless given. It is created if it does not
        exist.
    type: str
  server:
    description:
      - >-
        URL of the remote's API server as the primary's Pods reach it. Unless given, that of the connection, which is
        refused when it is this machine itself.
    type: str
  server_ca:
    description:
      - >-
        Text of the CA certificate (PEM) that verifies C(server). Unless given, that of the connection. There is no way
        to leave it unverified.
    type: str
  token_lifetime:
    description:
      - >-
        Seconds that a new token is valid. The API server of the remote may make it shorter
        (C(--service-account-max-token-expiration)); a warning says then how often this has to run.
    type: int
    default: 7776000
  rotate:
    description:
      - >-
        Renew the token in any case. Where a run was cut off after the primary had got a new token and before the old
        one was revoked, that renewal is finished instead, as by any run, and a warning says when the token was made
        that is kept. Run it once more if that one shall go, too.
    type: bool
    default: false
  serves:
    description:
      - >-
        The control plane of the primary serves the remote cluster, which has none of its own (mode V(hosted)). Its
        account may then also write what it has to: the root's certificate in every namespace, and its CA in webhooks.
    type: bool
    default: false
  config_account:
    description:
      - >-
        The primary's control plane is external and has its configuration from the remote cluster. This is the name of
        the ServiceAccount there with which it works, the one of Istio's charts (C(istiod), or C(istiod-REVISION)),
        whose rights stay as they are. The Secret in the primary is then C(istio-kubeconfig), which istiod mounts; a
        token that is renewed comes to it within 150 seconds, for which the task waits before the old one is revoked.
    type: str
  unreachable:
    description:
      - >-
        With O(state=absent), take out a remote that cannot be asked any more. C(left) tells what may still be in it.
    type: bool
    default: false
  primary_unreachable:
    description:
      - >-
        With O(state=absent), the primary cannot be asked any more: its account is taken out of the remote, and with it
        the token that it had. The connection options of the task itself are not used. C(left) tells what may still be
        in it.
    type: bool
    default: false
  wait_timeout:
    description:
      - >-
        Seconds that an istiod of the primary has to read the remote by a new token, to forget it, or to restart. After
        that the task fails; the token of before is still good.
    type: float
    default: 60.0
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
  - service_mesh.istio.remote
  - service_mesh.istio.state
  - service_mesh.istio.ownership
"""

EXAMPLES = r"""
- name: East reads west
  service_mesh.istio.remote_cluster:
    context: east
    primary: east
    cluster_name: west
    remote:
      context: west

- name: As before, by an address that the Pods of east can reach, and with a new token
  service_mesh.istio.remote_cluster:
    context: east
    primary: east
    cluster_name: west
    remote:
      context: west
    server: https://203.0.113.7:6443
    rotate: true

- name: The external control plane in east has its configuration in west
  service_mesh.istio.remote_cluster:
    context: east
    primary: east
    cluster_name: west
    remote:
      context: west
    config_account: istiod

- name: East does not read west any more
  service_mesh.istio.remote_cluster:
    context: east
    primary: east
    cluster_name: west
    remote:
      context: west
    state: absent

- name: West is gone for good
  service_mesh.istio.remote_cluster:
    context: east
    primary: east
    cluster_name: west
    unreachable: true
    state: absent

- name: East, which read west, is gone for good
  service_mesh.istio.remote_cluster:
    context: west
    primary: east
    cluster_name: west
    remote:
      context: west
    primary_unreachable: true
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
cluster:
  description: The remote cluster.
  returned: success
  type: str
primary:
  description: The reading cluster.
  returned: success
  type: str
server:
  description: The address by which it is read.
  returned: success
  type: str
token_ends:
  description: When its token ends; empty while there is none.
  returned: success
  type: str
renewed:
  description: Why there is a new token, or would be; empty where the old one is kept.
  returned: success
  type: str
left:
  description: What could not be looked at and may still be there.
  returned: success
  type: list
  elements: str
"""

from ..module_utils.task.module import run_module
from ..module_utils.task.operations.remote_cluster import REMOTE_CLUSTER

OPERATION = REMOTE_CLUSTER


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
