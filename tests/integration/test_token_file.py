"""A token file that is rotated while a task runs: the next request carries the new token."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.client import Client
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.connection import connect
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Unauthorized
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.kubeconfig import ConnectionOptions
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.resources import NAMESPACE
from integration.support.bed import Cluster


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
