# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the ports of a Service are called, so that Istio knows what they carry.

Source: Istio's page on protocol selection and pkg/config/protocol/instance.go (1.28 to 1.31): a name is a protocol, or
begins with one and a dash.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PROTOCOLS = frozenset(
    {
        "double-hbone",
        "grpc",
        "grpc-web",
        "hbone",
        "http",
        "http2",
        "http_proxy",
        "https",
        "mongo",
        "mysql",
        "redis",
        "tcp",
        "tls",
        "udp",
    }
)
# What the agent answers itself, where no request of a user ever goes (the charts name it `status-port`).
_STATUS = 15021


def is_readable(port: Mapping[str, Any]) -> bool:
    """Whether Istio can tell what a port of a Service carries."""
    if port.get("appProtocol") or port.get("port") == _STATUS:
        return True
    name = str(port.get("name") or "")
    return any(name == protocol or name.startswith(f"{protocol}-") for protocol in PROTOCOLS)
