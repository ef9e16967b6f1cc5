"""Who may call whom: rows that together give every first-level option a value."""

from __future__ import annotations

from .case import GATEWAY_REF, METADATA, SELECTOR, Case, spec

CASES = (
    Case(
        "request_authentication",
        "minimal",
        {"jwt_rules": [{"issuer": "https://issuer.example.com"}]},
        spec(jwtRules=[{"issuer": "https://other.example.com"}]),
        "spec.jwtRules[0].issuer",
    ),
    Case("authorization_policy", "minimal", {"action": "ALLOW"}, spec(action="DENY"), "spec.action"),
    Case(
        "peer_authentication",
        "minimal",
        {"mtls": {"mode": "STRICT"}},
        spec(mtls={"mode": "PERMISSIVE"}),
        "spec.mtls.mode",
    ),
    Case(
        "request_authentication",
        "full",
        {
            **METADATA,
            "selector": SELECTOR,
            "jwt_rules": [
                {
                    "issuer": "https://issuer.example.com",
                    "audiences": ["shop"],
                    "jwksUri": "https://issuer.example.com/keys",
                    "fromHeaders": [{"name": "x-token", "prefix": "Bearer "}],
                    "forwardOriginalToken": True,
                }
            ],
        },
    ),
    Case("request_authentication", "by-target", {**METADATA, "target_ref": GATEWAY_REF}),
    Case("request_authentication", "by-targets", {**METADATA, "target_refs": [GATEWAY_REF]}),
    Case(
        "authorization_policy",
        "full",
        {
            **METADATA,
            "selector": SELECTOR,
            "action": "CUSTOM",
            "provider": {"name": "ext-authz"},
            "rules": [
                {
                    "from": [{"source": {"namespaces": ["web"], "notIpBlocks": ["203.0.113.0/24"]}}],
                    "to": [{"operation": {"methods": ["GET"], "paths": ["/admin*"]}}],
                    "when": [{"key": "request.headers[x-role]", "values": ["admin"]}],
                }
            ],
        },
    ),
    Case("authorization_policy", "by-target", {**METADATA, "target_ref": GATEWAY_REF}),
    Case("authorization_policy", "by-targets", {**METADATA, "target_refs": [GATEWAY_REF]}),
    Case(
        "peer_authentication",
        "full",
        {
            **METADATA,
            "selector": SELECTOR,
            "mtls": {"mode": "STRICT"},
            "port_level_mtls": {"8080": {"mode": "DISABLE"}},
        },
    ),
)
