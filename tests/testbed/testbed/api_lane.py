"""Lane api: etcd, the API server and the controllers that need no node, on loopback. No root, no network namespace."""

from __future__ import annotations

import socket

from . import components, control_plane, kubeconfig, pki
from .components import NODELESS_CONTROLLERS, Settings
from .control_plane import Api
from .layout import Bed
from .progress import say
from .recipes import built

LOOPBACK = "127.0.0.1"
NAME = "api"
SERVICES = "10.96.0.0/16"


def up(bed: Bed) -> None:
    """Starts the lane; returns when the API server is ready and the controllers work."""
    cluster, bin = bed.cluster("api", NAME), built(bed, "kube") / "bin"
    settings = Settings(LOOPBACK, free_port(), LOOPBACK, SERVICES, controllers=NODELESS_CONTROLLERS, reconciler="none")
    control_plane.prepare(cluster, settings, [LOOPBACK, "10.96.0.1"], [pki.CONTROLLERS])
    server = f"https://{LOOPBACK}:{settings.port}"
    kubeconfig.write(cluster.kubeconfig, NAME, server, cluster.pki, pki.ADMIN.file)
    control_plane.record(cluster, {"server": server, "node_address": LOOPBACK})
    children = [
        control_plane.start(cluster, "etcd", components.etcd(bin)),
        control_plane.start(cluster, "kube-apiserver", components.apiserver(bin, settings)),
    ]
    api = Api(cluster, LOOPBACK, settings.port)
    api.wait_ready(children)
    children.append(
        control_plane.start(cluster, "kube-controller-manager", components.controller_manager(bin, settings))
    )
    api.wait_controllers(children)
    say(f"lane api is up at {server}")


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
