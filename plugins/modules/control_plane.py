#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install or remove the control plane of a mesh."""

from __future__ import annotations

DOCUMENTATION = r"""
module: control_plane
short_description: Install or remove the control plane of a mesh
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - >-
    Renders Istio's official charts (C(base), C(istiod), C(cni), C(ztunnel)) and brings the cluster to what they
    describe.
  - Refuses, and names the owner, when somebody else has installed an Istio in the cluster.
  - >-
    Fields that istiod sets at run time (the CA and the failure policy of its webhooks) are never taken back, so
    a second run changes nothing.
  - >-
    Ends when the control plane works: istiod is available and its Service has an endpoint, its webhooks have their
    CA, an object that has to be refused is refused, and the agents are on every node that shall have them. What
    keeps a Pod from starting (an image that cannot be pulled, a node that is missing) is told while it waits, and
    an image that stays away for 20 seconds ends the wait.
  - >-
    Several revisions can be in a cluster beside each other, each by a task of its own. What they share (C(base),
    C(cni), C(ztunnel)) is kept by the revision that installed the newest version of it. The tasks of the others
    leave it as it is, so that it is never taken back to an older version.
  - >-
    Refuses what must not happen in place: another identity of the mesh, network, name of the cluster, trust domain or
    root namespace; an older version; a version that skips a minor one.
  - >-
    V(absent) removes what this collection has installed, and nothing of other revisions. What
    M(service_mesh.istio.precheck) finds in the way of it fails the task, with the option that overrides it. Webhooks
    go before the istiod that answers them, the default validator is moved to another revision or goes before, tags of
    the revision go along. What is shared goes with the last control plane. The namespace, and without further options
    the CRDs and what istiod itself has written, stay; the result names them.
options:
  state:
    description:
      - Whether the control plane shall be there.
    type: str
    choices: [present, absent]
    default: present
  version:
    description:
      - >-
        Version of Istio, for example V(1.29.1). It decides the charts that are pulled and the tag of the images.
        V(present) cannot be without it, V(absent) does not look at it.
    type: str
    required: false
  protected:
    description:
      - >-
        Whether the control plane may not be removed. It is an annotation (C(service-mesh-istio/protected)) in the
        cluster until a run says otherwise.
    type: bool
    default: false
  ignore_checks:
    description:
      - >-
        For V(absent), codes of prechecks of the operation V(uninstall) whose blockers shall be warnings, as
        M(service_mesh.istio.precheck) lists them, for example V(sidecars_left).
    type: list
    elements: str
    default: []
  remove_crds:
    description:
      - >-
        For V(absent), whether the CRDs go, too, with the last control plane and C(base) among I(components). Refused
        while there are objects of theirs, unless I(remove_configuration) is set.
    type: bool
    default: false
  remove_configuration:
    description:
      - With I(remove_crds), whether all objects of Istio's kinds go with their CRDs.
    type: bool
    default: false
  remove_leftovers:
    description:
      - >-
        For V(absent), whether what istiod itself has written goes, too. That is who leads (Leases, ConfigMaps), and
        with the last control plane the roots of trust in all namespaces, the mesh's own certificate authority
        (C(istio-ca-secret), whose key is nowhere else) and the classes of the Gateway API. C(cacerts) stays always.
    type: bool
    default: false
  namespace:
    description:
      - Root namespace of the mesh, in which istiod runs. It is created if it does not exist.
    type: str
    default: istio-system
  revision:
    description:
      - >-
        Name of the revision, for example V(1-29-1) or V(canary). Everything that belongs to its istiod bears this
        name. Without it, the task means the control plane that has no revision.
      - >-
        A cluster's first revision judges configuration that names no revision; a later one does not take that over.
    type: str
  components:
    description:
      - >-
        What shall be installed. There is one C(base), C(cni) and C(ztunnel) in a cluster, and an C(istiod) of each
        revision.
      - >-
        For V(absent), what goes. What revisions share goes with the last of them, and is refused by itself while there
        is one.
      - With V(cni), istiod no longer gives each Pod an init container of its own.
      - V(ambient) as I(profile) needs all four.
    type: list
    elements: str
    choices: [base, istiod, cni, ztunnel]
    default: [base, istiod]
  profile:
    description:
      - A profile of the charts, for example V(ambient), V(stable) or V(preview).
    type: str
  platform:
    description:
      - >-
        A platform of the charts, for example V(gke), V(k3s) or V(openshift). It says, for one, where a node has its
        CNI's files.
    type: str
  compatibility_version:
    description:
      - Minor version, for example V(1.28), whose behaviour is kept where this version would change it.
    type: str
  image_hub:
    description:
      - Registry and path from which the images of all components and sidecars come.
    type: str
    default: docker.io/istio
  pull_secrets:
    description:
      - >-
        Names of Secrets in the root namespace with which images are pulled. Sidecars name them, too: each injected
        namespace then needs Secrets of these names.
    type: list
    elements: str
    default: []
  mesh_id:
    description:
      - Identity of the mesh (C(global.meshID)).
    type: str
  cluster_name:
    description:
      - Name of this cluster in the mesh (C(global.multiCluster.clusterName)).
    type: str
  network:
    description:
      - Network of this cluster (C(global.network), and the label of the root namespace).
    type: str
  remote:
    description:
      - >-
        This cluster has no istiod of its own: the control plane of another cluster serves it (mode V(hosted)). What
        is installed are the CRDs, a Service that leads there, and the webhooks. It is complete when the primary reads
        this cluster (M(service_mesh.istio.remote_cluster)): it is who gives the webhooks their CA.
    type: dict
    suboptions:
      primary:
        description: >-
          Cluster name of the control plane that serves this cluster. Empty, or without it beside an I(address), the one
          that serves it already.
        type: str
      address:
        description: >-
          IP address or host name at which that control plane is reached from here, on the ports 15012 and 15017; as a
          rule the address of its cluster's east-west gateway. Without it, the one that this cluster has been installed
          with, which is that of I(primary) only if that one serves it already. One of IPv6 is for Istio 1.31 and later.
        type: str
    version_added: 0.1.0
  config_cluster:
    description:
      - >-
        This control plane is external (mode V(hosted)): it runs here and serves other clusters, and this one is not in
        the mesh. The name is that of the cluster which has the mesh's configuration, and to which the Secret
        C(istio-kubeconfig) gives access (M(service_mesh.istio.remote_cluster) with C(config_account)). C(network) is
        that cluster's, too, and C(components) are V(istiod) alone.
    type: str
    version_added: 0.1.0
  inventory:
    description:
      - >-
        Name of the inventory, or of the repository, that keeps this control plane. It is written to the cluster, and a
        task with another name is refused. By default it is I(mesh_id).
    type: str
  take_over_from:
    description:
      - Name of the inventory that has kept this control plane until now and does so no longer. Say it for one run.
    type: str
  mesh_config:
    description:
      - Istio's MeshConfig (C(meshConfig) of the chart C(istiod)), for example C(accessLogFile).
    type: dict
  high_availability:
    description:
      - >-
        Run two to five istiods instead of one to five, on different nodes where there are any, of which one is always
        kept when nodes are drained.
    type: bool
    default: false
  sizing:
    description:
      - >-
        CPU and memory of istiod for a mesh of so many services (C(S)) and Pods (C(P)). Without it, the chart's own
        requests hold, and there are no limits.
    type: str
    choices: [S50P200, S200P1000, S500P2000, S2000P8000, S5000P20000]
  injection_default:
    description:
      - >-
        Whether Pods get a sidecar where neither their namespace nor they themselves say anything. The control plane
        that has no revision does it, or the one that the tag C(default) points to.
    type: bool
    default: false
  values:
    description:
      - Values for the charts, by chart. What is said here wins over the other options.
      - >-
        A key that the chart does not know, and a value of another type than the chart's own, is refused. So is what an
        option has to say, because the task itself needs it (C(revision), C(istioNamespace)).
    type: dict
    suboptions:
      base:
        description: Values of the chart C(base).
        type: dict
      istiod:
        description: Values of the chart C(istiod).
        type: dict
      cni:
        description: Values of the chart C(cni).
        type: dict
      ztunnel:
        description: Values of the chart C(ztunnel).
        type: dict
  values_merge:
    description:
      - >-
        V(merge) lays I(values) over what the other options say, mapping by mapping; lists and single values are
        replaced.
      - >-
        V(replace) gives a chart that I(values) names these values alone. I(profile), I(platform),
        I(compatibility_version), I(mesh_config), I(high_availability), I(sizing) and I(injection_default) say nothing
        to it then, and what the task needs to know itself (names, namespace, revision, images, pull secrets) is still
        said by the options.
      - In both cases the cluster is no source of values. What has left the inventory leaves the cluster.
    type: str
    choices: [merge, replace]
    default: merge
extends_documentation_fragment:
  - service_mesh.istio.adoption
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
  - service_mesh.istio.chart_source
  - service_mesh.istio.mode
  - service_mesh.istio.wait
"""

EXAMPLES = r"""
- name: Istio 1.29.1 is installed
  service_mesh.istio.control_plane:
    context: east
    version: 1.29.1
    mesh_config:
      accessLogFile: /dev/stdout

- name: A canary beside it, large and replicated
  service_mesh.istio.control_plane:
    context: east
    version: 1.30.3
    revision: 1-30-3
    high_availability: true
    sizing: S500P2000

- name: Ambient mode on k3s
  service_mesh.istio.control_plane:
    context: edge
    version: 1.29.1
    components: [base, istiod, cni, ztunnel]
    profile: ambient
    platform: k3s

- name: What Helm has installed belongs to this inventory from now on
  service_mesh.istio.control_plane:
    context: east
    version: 1.29.1
    adopt: [helm]
    values:
      istiod:
        pilot:
          env:
            PILOT_ENABLE_AMBIENT: "true"

- name: The same from charts on the controller and a mirror of the images
  service_mesh.istio.control_plane:
    context: east
    version: 1.29.1
    image_hub: mirror.example.com/istio
    charts:
      directory: /opt/charts/istio-1.29.1

- name: The old control plane is gone
  service_mesh.istio.control_plane:
    context: east
    state: absent
    revision: 1-29-1

- name: Nothing of Istio is left, configuration and certificate authority included
  service_mesh.istio.control_plane:
    context: edge
    state: absent
    components: [base, istiod, cni, ztunnel]
    remove_crds: true
    remove_configuration: true
    remove_leftovers: true
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
adopted:
  description:
    - >-
      What was taken over; the number of C(objects), the C(managers) that have no part in them any more, and the Helm
      C(releases) that are retired, each with the command that puts it back (C(put_back)).
  returned: success, with O(adopt)
  type: dict
removed:
  description: Components that are gone.
  returned: success, with O(state=absent)
  type: list
  elements: str
  sample: [istiod]
left:
  description: What is not removed, each with C(kind), C(namespace), C(name) and the C(reason).
  returned: success, with O(state=absent)
  type: list
  elements: dict
version:
  description: The version of Istio.
  returned: success, with O(state=present)
  type: str
namespace:
  description: The root namespace.
  returned: success
  type: str
revision:
  description: The revision; V(default) for the control plane that has none.
  returned: success
  type: str
components:
  description: The components of the task, each with its version and the revision that keeps it.
  returned: success, with O(state=present)
  type: dict
  sample:
    base: {version: 1.30.3, kept_by: 1-30-3}
    istiod: {version: 1.29.1, kept_by: default}
images:
  description: The images that the objects need, and that the injector puts into Pods; what a mirror has to have.
  returned: success, with O(state=present)
  type: list
  elements: str
  sample: ["docker.io/istio/pilot:1.29.1", "docker.io/istio/proxyv2:1.29.1"]
upgrade:
  description:
    - What the upgrade means beside its objects; empty when no version changes. Check mode tells the same.
    - Each behaviour that changes, and that the mesh uses, is a warning as well.
  returned: success, with O(state=present)
  type: dict
  contains:
    from:
      description: The version until now; beside a new revision, the oldest that is there.
      type: str
    to:
      description: The version of the task.
      type: str
    changes:
      description:
        - >-
          Behaviours that change, each with its C(code), the release C(since) which, a C(sentence), a C(hint), the
          C(count) of objects that use it and the first of these, and what keeps it as it was (C(kept_by)).
      type: list
      elements: dict
    restarts:
      description:
        - >-
          C(count) of the workloads that have to restart until the whole data plane runs the new version, and the
          first of these with C(kind), C(namespace), C(name), C(pods), C(reason), C(gateway) and C(how): V(restart),
          V(delete_pods) where the controller does not do it by itself, V(by_hand) where there is none.
        - Beside a new revision, all namespaces with injection are thought to move to it.
      type: dict
    not_judged:
      description: What could not be read, and so is not judged.
      type: list
      elements: str
"""

from ..module_utils.task.module import run_module
from ..module_utils.task.operations.control_plane import CONTROL_PLANE

OPERATION = CONTROL_PLANE


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
