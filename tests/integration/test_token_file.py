"""Credentials that are renewed while a task runs: the next request carries the new ones."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.kube import credentials
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.client import Client
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.connection import connect
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Unauthorized
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.kubeconfig import ConnectionOptions
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.resources import NAMESPACE
from integration.support.bed import Cluster
from integration.support.servers import expired_certificate


def test_token_is_read_again(cluster: Cluster, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("expired-by-now\n", encoding="utf-8")
    kubeconfig = {
        "clusters": [{"name": "a", "cluster": {"server": cluster.server, "certificate-authority": cluster.ca_file}}],
        "users": [{"name": "a", "user": {"tokenFile": "token"}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(kubeconfig), encoding="utf-8")
    client = Client(connect(ConnectionOptions(kubeconfig=str(tmp_path / "config"))))
    with pytest.raises(Unauthorized):
        client.get(NAMESPACE, "default")
    token.write_text(f"{cluster.token}\n", encoding="utf-8")
    assert client.get(NAMESPACE, "default")
    token.unlink()
    assert client.get(NAMESPACE, "default"), "a file that is away for a moment is not a token less"


def test_certificate_of_a_plugin_is_renewed(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The API server looks at the certificate of a connection for every request: a new one needs a new connection."""
    monkeypatch.setattr(credentials, "_PAUSE", 0)
    version, answer = "client.authentication.k8s.io/v1", tmp_path / "answer.json"
    soon = datetime.now(timezone.utc) + timedelta(seconds=30)

    def says(certificate: Path | str, key: Path | str) -> None:
        pair = {"clientCertificateData": Path(certificate).read_text(), "clientKeyData": Path(key).read_text()}
        status = {**pair, "expirationTimestamp": soon.isoformat()}
        answer.write_text(json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status}))

    expired = expired_certificate(cluster, tmp_path)
    says(expired, expired)
    kubeconfig = {
        "clusters": [{"name": "a", "cluster": {"server": cluster.server, "certificate-authority": cluster.ca_file}}],
        "users": [{"name": "a", "user": {"exec": {"apiVersion": version, "command": "cat", "args": [str(answer)]}}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
    }
    client = Client(connect(ConnectionOptions(kubeconfig=kubeconfig)))
    with pytest.raises(Unauthorized):
        client.get(NAMESPACE, "default")
    says(cluster.client_certificate_file, cluster.client_key_file)
    assert client.get(NAMESPACE, "default")
