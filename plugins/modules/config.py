#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply many objects of a mesh at once."""

from __future__ import annotations

DOCUMENTATION = r"""
module: config
short_description: Apply many objects of a mesh at once
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - Brings any number of objects to what is described, in one task and in the order in which they need each other.
  - Takes manifests as they are, of any kind that the API server knows, and lists of Istio's kinds with typed options.
  - Every object is validated by the API server, with all admission, before the first one is written, unless
    O(validate) asks for less.
  - >-
    V(null) is not an absent field. An option that says what objects there shall be, or what is in one of them, is
    refused where it is V(null): leave it out (a template gives C(omit)), or say by an empty list that there is none.
options:
  src:
    description:
      - >-
        Files of the controller with manifests, in YAML or JSON, of one or many documents. A folder stands for all
        V(*.yaml), V(*.yml) and V(*.json) below it in the order of their names, but for hidden ones; a pattern
        (V(routes/*.yaml), V(teams/**/prod)) for all that it matches.
        Capitals (V(A.YAML)) make no difference to a folder. Links are followed, no folder is entered twice, and no
        file counts twice. A folder that cannot be read and a link that leads nowhere are refused.
      - >-
        A relative path is looked for as Ansible looks for files, in C(files) of the role or the playbook and beside
        them. A pattern without a folder before it (V(*.yaml)) is looked for in each of these places, but beside the
        tasks of a role, and the first counts in which it matches something.
        Whole files may be encrypted by C(ansible-vault). They are no templates. An empty path is refused.
      - >-
        Equal keys in one mapping, tabs, keys and texts that YAML reads as something else (V(on), V(0.10)), and
        V(null) are refused with file, document and line. To server-side apply V(null) is not an absent field.
      - A file may have 5 MB, an object 1 MB.
    type: list
    elements: str
  objects:
    description:
      - Manifests, as Kubernetes knows them. A C(List) stands for its items.
    type: list
    elements: dict
  virtual_services:
    description:
      - Objects of the kind C(VirtualService), each with the options of M(service_mesh.istio.virtual_service).
    type: list
    elements: dict
    suboptions:
      name: &name
        description:
          - Name of the object.
        type: str
        required: true
      namespace: &namespace
        description:
          - Namespace of the object.
        type: str
        required: true
      labels: &labels
        description:
          - Labels of the object.
        type: dict
      annotations: &annotations
        description:
          - Annotations of the object.
        type: dict
      state: &state
        description:
          - Whether this object shall be there; O(state) unless given.
        type: str
        choices: [present, absent]
      hosts:
        description:
          - Hosts that the routes are for.
        type: list
        elements: str
      gateways:
        description:
          - >-
            Gateways that the routes apply to, as V(namespace/name); V(mesh) stands for all sidecars. Without
            it, all sidecars.
        type: list
        elements: str
      http:
        description:
          - Routes for HTTP, in order; the first match decides.
        type: list
        elements: dict
      tls:
        description:
          - Routes for TLS that is passed through, by SNI.
        type: list
        elements: dict
      tcp:
        description:
          - Routes for plain TCP.
        type: list
        elements: dict
      export_to:
        description:
          - Namespaces that see it; V(.) is its own, V(*) are all.
        type: list
        elements: str
  destination_rules:
    description:
      - Objects of the kind C(DestinationRule), each with the options of M(service_mesh.istio.destination_rule).
      - What that module calls C(spec_host) is called C(host) here, where no other option has the name.
    type: list
    elements: dict
    suboptions:
      name: *name
      namespace: *namespace
      labels: *labels
      annotations: *annotations
      state: *state
      host:
        description:
          - The service that the rule is for. An object cannot be without it.
        type: str
      traffic_policy:
        description:
          - Policy towards all of its subsets.
        type: dict
      subsets:
        description:
          - Named groups of its endpoints.
        type: list
        elements: dict
      export_to:
        description:
          - Namespaces that see it; V(.) is its own, V(*) are all.
        type: list
        elements: str
      workload_selector:
        description:
          - Restricts the rule to clients with these labels.
        type: dict
  gateways:
    description:
      - Objects of the kind C(Gateway), each with the options of M(service_mesh.istio.gateway).
    type: list
    elements: dict
    suboptions:
      name: *name
      namespace: *namespace
      labels: *labels
      annotations: *annotations
      state: *state
      servers:
        description:
          - Ports with their hosts and TLS settings.
        type: list
        elements: dict
      selector:
        description:
          - Labels of the gateway Pods that it is for.
        type: dict
  service_entries:
    description:
      - Objects of the kind C(ServiceEntry), each with the options of M(service_mesh.istio.service_entry).
    type: list
    elements: dict
    suboptions:
      name: *name
      namespace: *namespace
      labels: *labels
      annotations: *annotations
      state: *state
      hosts:
        description:
          - Hosts of the service. An object cannot be without them.
        type: list
        elements: str
      addresses:
        description:
          - Virtual IP addresses or CIDR blocks of the service.
        type: list
        elements: str
      ports:
        description:
          - Ports of the service.
        type: list
        elements: dict
      location:
        description:
          - Whether the service is part of the mesh.
        type: str
        choices: [MESH_EXTERNAL, MESH_INTERNAL]
      resolution:
        description:
          - How its endpoints are found. V(DYNAMIC_DNS) needs an Istio that knows it.
        type: str
        choices: [NONE, STATIC, DNS, DNS_ROUND_ROBIN, DYNAMIC_DNS]
      endpoints:
        description:
          - Its endpoints.
        type: list
        elements: dict
      workload_selector:
        description:
          - Labels of the Pods and WorkloadEntries that are its endpoints.
        type: dict
      export_to:
        description:
          - Namespaces that see it; V(.) is its own, V(*) are all.
        type: list
        elements: str
      subject_alt_names:
        description:
          - Names that the service's certificate may have.
        type: list
        elements: str
  sidecars:
    description:
      - Objects of the kind C(Sidecar), each with the options of M(service_mesh.istio.sidecar).
    type: list
    elements: dict
    suboptions:
      name: *name
      namespace: *namespace
      labels: *labels
      annotations: *annotations
      state: *state
      workload_selector:
        description:
          - Labels of the workloads that it is for. Without it, all of the namespace.
        type: dict
      ingress:
        description:
          - Listeners for traffic to the workload. Without it, they follow from the Pod's own services.
        type: list
        elements: dict
      egress:
        description:
          - Hosts that the workload can reach, by listener; everything else is unknown to its proxy.
        type: list
        elements: dict
      inbound_connection_pool:
        description:
          - Limits on connections to the workload, on all ports that say nothing else.
        type: dict
      outbound_traffic_policy:
        description:
          - What happens to traffic for hosts that the mesh does not know.
        type: dict
  workload_entries:
    description:
      - Objects of the kind C(WorkloadEntry), each with the options of M(service_mesh.istio.workload_entry).
    type: list
    elements: dict
    suboptions:
      name: *name
      namespace: *namespace
      labels: *labels
      annotations: *annotations
      state: *state
      address:
        description:
          - >-
            Address of the workload: an IP, a host name, or the path of a Unix socket as V(unix:///path).
        type: str
      ports:
        description:
          - Ports of the workload, as numbers by the name of the service's port.
        type: dict
      spec_labels:
        description:
          - Labels of the workload, by which services and policies select it.
          - It is C(labels) of the spec; the object itself has labels, too, and they select nothing.
        type: dict
      network:
        description:
          - The network that the address belongs to, when not every other workload reaches it directly.
        type: str
      locality:
        description:
          - Where the workload runs, as V(region/zone/subzone), for load balancing by distance.
        type: str
      weight:
        description:
          - Its share of the traffic, relative to the other endpoints.
        type: int
      service_account:
        description:
          - The service account in the workload's certificate; it has to be one of its namespace.
        type: str
  workload_groups:
    description:
      - Objects of the kind C(WorkloadGroup), each with the options of M(service_mesh.istio.workload_group).
    type: list
    elements: dict
    suboptions:
      name: *name
      namespace: *namespace
      labels: *labels
      annotations: *annotations
      state: *state
      metadata:
        description:
          - Labels and annotations of the entries that are made from it.
        type: dict
      template:
        description:
          - What the entries have in common, as the spec of a C(WorkloadEntry) without an address.
          - An object cannot be without it.
        type: dict
      probe:
        description:
          - How the machine's agent finds out whether the workload is healthy.
        type: dict
  envoy_filters:
    description:
      - Objects of the kind C(EnvoyFilter), each with the options of M(service_mesh.istio.envoy_filter).
    type: list
    elements: dict
    suboptions:
      name: *name
      namespace: *namespace
      labels: *labels
      annotations: *annotations
      state: *state
      workload_selector:
        description:
          - Labels of the workloads that it is for. Without it, all of the namespace.
        type: dict
      target_refs:
        description:
          - The Gateway API objects that it is for.
        type: list
        elements: dict
      config_patches:
        description:
          - >-
            What is changed, and where: the part of the configuration, the match, the patch.
        type: list
        elements: dict
      priority:
        description:
          - >-
            Its place among the patches of a proxy: the lowest number comes first. Istio's own default is V(0).
        type: int
  proxy_configs:
    description:
      - Objects of the kind C(ProxyConfig), each with the options of M(service_mesh.istio.proxy_config).
    type: list
    elements: dict
    suboptions:
      name: *name
      namespace: *namespace
      labels: *labels
      annotations: *annotations
      state: *state
      selector:
        description:
          - Labels of the workloads that it is for. Without it, all of the namespace.
        type: dict
      concurrency:
        description:
          - >-
            Number of worker threads of a proxy; V(0) is one for each core. Without it, it follows from the CPU
            limit.
        type: int
      environment_variables:
        description:
          - Environment variables of the proxy, as texts by name.
        type: dict
      image:
        description:
          - >-
            Which variant of the proxy's image is used, such as C({imageType: distroless}).
        type: dict
  peer_authentications:
    description:
      - >-
        Objects of the kind C(PeerAuthentication), each with the options of
        M(service_mesh.istio.peer_authentication).
    type: list
    elements: dict
    suboptions:
      name: *name
      namespace: *namespace
      labels: *labels
      annotations: *annotations
      state: *state
      selector:
        description:
          - Labels of the workloads that it is for. Without it, all of the namespace.
        type: dict
      mtls:
        description:
          - The mode of mutual TLS.
        type: dict
      port_level_mtls:
        description:
          - The mode for single ports; needs a selector.
        type: dict
  request_authentications:
    description:
      - >-
        Objects of the kind C(RequestAuthentication), each with the options of
        M(service_mesh.istio.request_authentication).
    type: list
    elements: dict
    suboptions:
      name: *name
      namespace: *namespace
      labels: *labels
      annotations: *annotations
      state: *state
      selector:
        description:
          - Labels of the workloads that it is for. Without it, all of the namespace.
        type: dict
      target_ref:
        description:
          - The Gateway API object that it is for.
        type: dict
      target_refs:
        description:
          - The Gateway API objects that it is for.
        type: list
        elements: dict
      jwt_rules:
        description:
          - Issuers and their keys.
        type: list
        elements: dict
  authorization_policies:
    description:
      - >-
        Objects of the kind C(AuthorizationPolicy), each with the options of
        M(service_mesh.istio.authorization_policy).
    type: list
    elements: dict
    suboptions:
      name: *name
      namespace: *namespace
      labels: *labels
      annotations: *annotations
      state: *state
      selector:
        description:
          - Labels of the workloads that it is for. Without it, all of the namespace.
        type: dict
      target_ref:
        description:
          - The Gateway API object that it is for.
        type: dict
      target_refs:
        description:
          - The Gateway API objects that it is for.
        type: list
        elements: dict
      rules:
        description:
          - Rules; a request matches the policy when it matches one of them.
        type: list
        elements: dict
      action:
        description:
          - What happens to a matching request. Istio's own default is V(ALLOW).
        type: str
        choices: [ALLOW, DENY, AUDIT, CUSTOM]
      provider:
        description:
          - Who decides when the action is V(CUSTOM).
        type: dict
  telemetries:
    description:
      - Objects of the kind C(Telemetry), each with the options of M(service_mesh.istio.telemetry).
    type: list
    elements: dict
    suboptions:
      name: *name
      namespace: *namespace
      labels: *labels
      annotations: *annotations
      state: *state
      selector:
        description:
          - Labels of the workloads that it is for. Without it, all of the namespace.
        type: dict
      target_ref:
        description:
          - The Gateway API object that it is for.
        type: dict
      target_refs:
        description:
          - The Gateway API objects that it is for.
        type: list
        elements: dict
      tracing:
        description:
          - Which requests are traced, and with which tags.
        type: list
        elements: dict
      metrics:
        description:
          - Which metrics are made, and with which tags.
        type: list
        elements: dict
      access_logging:
        description:
          - Which requests are logged, and where.
        type: list
        elements: dict
  wasm_plugins:
    description:
      - Objects of the kind C(WasmPlugin), each with the options of M(service_mesh.istio.wasm_plugin).
    type: list
    elements: dict
    suboptions:
      name: *name
      namespace: *namespace
      labels: *labels
      annotations: *annotations
      state: *state
      selector:
        description:
          - Labels of the workloads that it is for. Without it, all of the namespace.
        type: dict
      target_ref:
        description:
          - The Gateway API object that it is for.
        type: dict
      target_refs:
        description:
          - The Gateway API objects that it is for.
        type: list
        elements: dict
      url:
        description:
          - >-
            Where the module comes from: V(oci://), V(http://), V(https://) or V(file://). Without a scheme, a
            registry for images.
          - An object cannot be without it.
        type: str
      sha256:
        description:
          - Checksum of the module. A proxy refuses another one.
        type: str
      image_pull_policy:
        description:
          - When the module is fetched anew.
        type: str
        choices: [UNSPECIFIED_POLICY, IfNotPresent, Always]
      image_pull_secret:
        description:
          - Name of the Secret, in the same namespace, with the credentials for the registry.
        type: str
      verification_key:
        description:
          - Public key with which the signature of the module is verified.
        type: str
      plugin_config:
        description:
          - Configuration for the module, which alone knows what it means.
        type: dict
      plugin_name:
        description:
          - The module's own name for the plugin, where it contains several.
        type: str
      phase:
        description:
          - Where among the other filters it runs. Istio's own default is near the end, before the router.
        type: str
        choices: [UNSPECIFIED_PHASE, AUTHN, AUTHZ, STATS]
      priority:
        description:
          - >-
            Its place among the plugins of a phase: the highest number comes first.
        type: int
      fail_strategy:
        description:
          - >-
            What happens to traffic when the module cannot be loaded or dies. Istio's own default is
            V(FAIL_CLOSE).
        type: str
        choices: [FAIL_CLOSE, FAIL_OPEN, FAIL_RELOAD]
      vm_config:
        description:
          - Configuration of the virtual machine that runs the module, such as environment variables.
        type: dict
      match:
        description:
          - Which traffic it is for, by port and direction. Without it, all.
        type: list
        elements: dict
      type:
        description:
          - Whether it works on requests or on connections. Istio's own default is V(HTTP).
        type: str
        choices: [UNSPECIFIED_PLUGIN_TYPE, HTTP, NETWORK]
  traffic_extensions:
    description:
      - >-
        Objects of the kind C(TrafficExtension), each with the options of
        M(service_mesh.istio.traffic_extension).
    type: list
    elements: dict
    suboptions:
      name: *name
      namespace: *namespace
      labels: *labels
      annotations: *annotations
      state: *state
      selector:
        description:
          - Labels of the workloads that it is for. Without it, all of the namespace.
        type: dict
      target_refs:
        description:
          - The Gateway API objects that it is for.
        type: list
        elements: dict
      phase:
        description:
          - Where among the other filters it runs. Istio's own default is near the end, before the router.
        type: str
        choices: [UNSPECIFIED, AUTHN, AUTHZ, STATS]
      priority:
        description:
          - >-
            Its place among the extensions of a phase: the highest number comes first.
        type: int
      match:
        description:
          - Which traffic it is for, by port and direction. Without it, all.
        type: list
        elements: dict
      wasm:
        description:
          - >-
            A WebAssembly module: where it comes from and how it is run.
          - An object has either this or C(lua).
        type: dict
      lua:
        description:
          - A script in Lua.
          - An object has either this or C(wasm).
        type: dict
  set:
    description:
      - Name of the object set that this task owns. Its objects then belong together, and what leaves the input can be
        removed by O(prune).
      - The set is kept by a ConfigMap of this name in O(set_namespace), as the ApplySet specification of Kubernetes
        describes it. A set of another tool is refused, and so is an empty name; a task without a set leaves this out.
    type: str
  set_namespace:
    description:
      - Namespace of the ConfigMap and of the lock of the set. It has to exist. A task that creates or deletes this
        namespace itself is refused.
    type: str
    default: istio-system
  prune:
    description:
      - Remove objects that were in the set before, are not in the input any more, and still carry the label of the set.
      - Namespaces, CRDs and the Secret C(cacerts) are never pruned. What would be pruned is a part of the plan.
      - Without it, what leaves the input stays in the set, and a later task that prunes finds it.
      - >-
        An entry of O(src) that holds no object is refused, and so is a task without any option that names objects. An
        empty list (V(objects: [])) says on purpose that none shall be there.
    type: bool
    default: false
  prune_limit:
    description:
      - A task that would prune more objects than this is refused.
    type: int
    default: 10
  adopt:
    description:
      - Take objects into the set that exist already and are in no set, or in another one. Without it they are refused.
      - What another task of this collection has applied moves as a whole. All fields that it managed become this
        task's, and those that the input does not name are removed. Without O(set), objects are taken out of the set
        that they are in.
      - Say it for the run that adopts, and leave it out afterwards.
    type: bool
    default: false
  on_error:
    description:
      - What happens when a write fails after others have succeeded.
      - V(rollback) restores what this task had changed, in reverse, fields and their managers included. What cannot be
        restored is named. CRDs stay.
      - V(stop) leaves what was done; V(continue) goes on with the other objects and fails at the end. The next run goes
        on from there.
    type: str
    choices: [rollback, stop, continue]
    default: rollback
  validate:
    description:
      - How objects are validated before the first one is written.
      - With V(server) the API server is asked about every object that is created or changed, with all admission.
      - With V(schema) objects that do not exist yet are validated by the schema that the server publishes of their
        kind, which takes a third less time. Only the first new object of every kind and of every namespace is asked
        about. What a schema does not say (CEL rules, webhooks, quotas) then shows itself while writing, and O(on_error)
        decides. Objects that exist, and most of Kubernetes' own kinds, are asked about as ever.
    type: str
    choices: [server, schema]
    default: server
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
  - service_mesh.istio.state
  - service_mesh.istio.ownership
  - service_mesh.istio.checks
  - service_mesh.istio.mesh_root
"""

EXAMPLES = r"""
- name: The routes of the shop
  service_mesh.istio.config:
    context: east
    destination_rules:
      - name: reviews
        namespace: shop
        host: reviews
        subsets:
          - {name: v1, labels: {version: v1}}
          - {name: v2, labels: {version: v2}}
    virtual_services:
      - name: reviews
        namespace: shop
        hosts: [reviews]
        http:
          - route:
              - destination: {host: reviews, subset: v1}
      - name: reviews-old
        namespace: shop
        state: absent

- name: A set, so that what is taken out of the list is taken out of the cluster
  service_mesh.istio.config:
    context: east
    set: shop
    prune: true
    virtual_services:
      - name: reviews
        namespace: shop
        hosts: [reviews]
        http:
          - route:
              - destination: {host: reviews}

- name: Everything in a folder beside the inventory
  service_mesh.istio.config:
    context: east
    src: "{{ inventory_dir }}/routes"

- name: A manifest with variables in it
  service_mesh.istio.config:
    context: east
    objects: "{{ lookup('ansible.builtin.template', 'shop.yaml.j2') | ansible.builtin.from_yaml_all | list }}"
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
from ..module_utils.task.operations.config import CONFIG

OPERATION = CONFIG


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
