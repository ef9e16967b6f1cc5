"""Kubeconfig files: everything they need is in them, so that they can be copied anywhere."""

from __future__ import annotations

import base64
from pathlib import Path

import yaml

from .pki import secret


def write(path: Path, name: str, server: str, pki: Path, user: str) -> None:
    """One cluster, one user known by certificate, one context, all of the same name."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": data(pki / "ca.crt")}}],
        "users": [
            {
                "name": name,
                "user": {
                    "client-certificate-data": data(pki / f"{user}.crt"),
                    "client-key-data": data(pki / f"{user}.key"),
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    secret(path, yaml.safe_dump(document, sort_keys=False).encode())


def data(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
