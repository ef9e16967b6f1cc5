#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extend proxies with WebAssembly (Istio WasmPlugin)."""

from __future__ import annotations

DOCUMENTATION = r"""
module: wasm_plugin
short_description: Extend proxies with WebAssembly (Istio WasmPlugin)
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - >-
    Manages a C(WasmPlugin): a WebAssembly module that proxies load and run on their traffic.
  - From Istio 1.30 on, M(service_mesh.istio.traffic_extension) offers this, and scripts in Lua.
  - >-
    The first level of its spec are options; what stands deeper is written as Istio documents it, in camelCase,
    and is never converted.
options:
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
      - What happens to traffic when the module cannot be loaded or dies. Istio's own default is V(FAIL_CLOSE).
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
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
  - service_mesh.istio.metadata
  - service_mesh.istio.state
  - service_mesh.istio.ownership
  - service_mesh.istio.checks
"""

EXAMPLES = r"""
- name: Requests to the ingress gateway carry an API key
  service_mesh.istio.wasm_plugin:
    context: east
    name: api-key
    namespace: istio-ingress
    selector: {matchLabels: {istio: ingress}}
    url: oci://registry.example.com/wasm/api-key:1.4.0
    phase: AUTHN
    fail_strategy: FAIL_CLOSE
    plugin_config: {header: x-api-key}
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

from ..module_utils.istio.kinds import WASM_PLUGIN
from ..module_utils.task.module import run_module
from ..module_utils.task.operations.config import kind_operation

OPERATION = kind_operation(WASM_PLUGIN)


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
