"""What proxies run, measure and are patched with: rows that together give every first-level option a value."""

from __future__ import annotations

from .case import GATEWAY_REF, METADATA, SELECTOR, Case, Options, spec

_URL = "oci://registry.example.com/wasm/api-key:1.4.0"
_SHA256 = "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c"
_LUA: Options = {"inlineCode": "function envoy_on_request(handle)\n  handle:logInfo('seen')\nend\n"}
_VM: Options = {"env": [{"name": "LEVEL", "valueFrom": "INLINE", "value": "1"}, {"name": "HOME", "valueFrom": "HOST"}]}
_MATCH: Options = {"mode": "SERVER", "ports": [{"number": 8080}, {"number": 9080}]}
_PATCH: Options = {"applyTo": "LISTENER", "match": {"context": "GATEWAY"}}
_ENVOY: Options = {"providers": [{"name": "envoy"}]}


def _buffers(limit: int) -> list[Options]:
    return [{**_PATCH, "patch": {"operation": "MERGE", "value": {"per_connection_buffer_limit_bytes": limit}}}]


CASES = (
    Case("proxy_config", "minimal", {"concurrency": 2}, spec(concurrency=4), "spec.concurrency"),
    Case(
        "proxy_config",
        "full",
        {
            **METADATA,
            "selector": SELECTOR,
            "concurrency": 0,
            "environment_variables": {"ISTIO_META_DNS_CAPTURE": "true"},
            "image": {"imageType": "distroless"},
        },
    ),
    Case(
        "envoy_filter",
        "minimal",
        {"config_patches": _buffers(32768)},
        spec(configPatches=_buffers(65536)),
        "spec.configPatches[0].patch.value.per_connection_buffer_limit_bytes",
    ),
    Case(
        "envoy_filter",
        "full",
        {
            **METADATA,
            "workload_selector": {"labels": {"istio": "ingress"}},
            "config_patches": _buffers(32768),
            "priority": -10,
        },
    ),
    Case("envoy_filter", "by-targets", {**METADATA, "target_refs": [GATEWAY_REF], "config_patches": _buffers(32768)}),
    Case(
        "telemetry",
        "minimal",
        {"access_logging": [_ENVOY]},
        spec(accessLogging=[{"providers": [{"name": "other"}]}]),
        "spec.accessLogging[0].providers[0].name",
    ),
    Case(
        "telemetry",
        "full",
        {
            **METADATA,
            "selector": SELECTOR,
            "tracing": [{"randomSamplingPercentage": 1.5, "customTags": {"mesh": {"literal": {"value": "shop"}}}}],
            "metrics": [
                {
                    "providers": [{"name": "prometheus"}],
                    "reportingInterval": "10s",
                    "overrides": [
                        {
                            "match": {"metric": "REQUEST_COUNT", "mode": "CLIENT"},
                            "tagOverrides": {"source_workload": {"operation": "REMOVE"}},
                        }
                    ],
                }
            ],
            "access_logging": [{**_ENVOY, "filter": {"expression": "response.code >= 500"}}],
        },
    ),
    Case("telemetry", "by-target", {**METADATA, "target_ref": GATEWAY_REF}),
    Case("telemetry", "by-targets", {**METADATA, "target_refs": [GATEWAY_REF]}),
    Case("wasm_plugin", "minimal", {"url": _URL}, spec(url="file:///opt/filters/api-key.wasm"), "spec.url"),
    Case(
        "wasm_plugin",
        "full",
        {
            **METADATA,
            "selector": SELECTOR,
            "url": _URL,
            "sha256": _SHA256,
            "image_pull_policy": "IfNotPresent",
            "image_pull_secret": "registry",
            "verification_key": "a public key",
            "plugin_config": {"header": "x-api-key", "limits": {"burst": 1.5, "hosts": ["a", "b"]}},
            "plugin_name": "api-key",
            "phase": "AUTHN",
            "priority": 10,
            "fail_strategy": "FAIL_CLOSE",
            "vm_config": _VM,
            "match": [_MATCH],
            "type": "HTTP",
        },
    ),
    Case("wasm_plugin", "by-target", {**METADATA, "url": _URL, "target_ref": GATEWAY_REF}),
    Case("wasm_plugin", "by-targets", {**METADATA, "url": _URL, "target_refs": [GATEWAY_REF]}),
    Case(
        "traffic_extension",
        "minimal",
        {"lua": _LUA},
        spec(lua={"inlineCode": "function envoy_on_request(handle) end\n"}),
        "spec.lua.inlineCode",
    ),
    Case(
        "traffic_extension",
        "full",
        {
            **METADATA,
            "selector": SELECTOR,
            "phase": "STATS",
            "priority": 10,
            "match": [_MATCH],
            "wasm": {"url": _URL, "sha256": _SHA256, "pluginConfig": {"header": "x-api-key"}, "vmConfig": _VM},
        },
    ),
    Case("traffic_extension", "by-targets", {**METADATA, "target_refs": [GATEWAY_REF], "lua": _LUA}),
)
