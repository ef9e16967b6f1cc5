"""The components' command lines, as data: what differs between lanes and clusters is a value in `Settings`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .addresses import Plan
from .pki import CONTROLLERS, PROXY, SCHEDULER

# The controllers that have work where there is no node.
NODELESS_CONTROLLERS = (
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "resourcequota-controller",
    "clusterrole-aggregation-controller",
)
# A node's Pod range comes from its CNI configuration.
ALL_CONTROLLERS = ("*", "-node-ipam-controller")
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


@dataclass(frozen=True)
class Settings:
    """What the command lines depend on."""

    listen: str
    port: int
    advertise: str
    services: str
    controllers: tuple[str, ...] = ALL_CONTROLLERS
    # "none" where the advertised address is loopback: the API server may not publish it as its own Service's endpoint.
    reconciler: str = "lease"


# etcd wants a port in every address; in that of a socket it is a part of the file's name.
ETCD, ETCD_PEER = "unix://etcd.sock:0", "unix://peer.sock:0"


def etcd(bin: Path) -> list[str]:
    """Listens on sockets in its folder, so that only its owner reaches it; not durable, the data is thrown away."""
    return [
        f"{bin}/etcd",
        "--name=default",
        "--data-dir=etcd",
        "--unsafe-no-fsync",
        f"--listen-client-urls={ETCD}",
        f"--advertise-client-urls={ETCD}",
        f"--listen-peer-urls={ETCD_PEER}",
        "--log-level=warn",
    ]


def apiserver(bin: Path, settings: Settings) -> list[str]:
    flags = {
        "etcd-servers": ETCD,
        "bind-address": settings.listen,
        "secure-port": settings.port,
        "advertise-address": settings.advertise,
        "service-cluster-ip-range": settings.services,
        "tls-cert-file": "pki/apiserver.crt",
        "tls-private-key-file": "pki/apiserver.key",
        "client-ca-file": "pki/ca.crt",
        "token-auth-file": "pki/tokens.csv",
        "service-account-key-file": "pki/sa.key",
        "service-account-signing-key-file": "pki/sa.key",
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "authorization-mode": "Node,RBAC",
        "allow-privileged": "true",
        # Webhooks are called at Pod addresses: the API server is a process beside the Pods, without service routes.
        "enable-aggregator-routing": "true",
        "endpoint-reconciler-type": settings.reconciler,
        "kubelet-preferred-address-types": "InternalIP",
        "audit-policy-file": "audit-policy.yaml",
        "audit-log-path": "audit.log",
        # Blocking: when a request is answered its line is in the file.
        "audit-log-mode": "blocking",
        # Megabytes: tests count in one file, so it must not be rotated away.
        "audit-log-maxsize": 4000,
    }
    return [f"{bin}/kube-apiserver", *(f"--{name}={value}" for name, value in flags.items())]


def controller_manager(bin: Path, settings: Settings) -> list[str]:
    return [
        f"{bin}/kube-controller-manager",
        f"--kubeconfig={CONTROLLERS.file}.kubeconfig",
        f"--controllers={','.join(settings.controllers)}",
        "--service-account-private-key-file=pki/sa.key",
        "--root-ca-file=pki/ca.crt",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--secure-port=0",
    ]


def scheduler(bin: Path) -> list[str]:
    return [
        f"{bin}/kube-scheduler",
        f"--kubeconfig={SCHEDULER.file}.kubeconfig",
        "--leader-elect=false",
        "--secure-port=0",
    ]


def containerd(program: Path) -> list[str]:
    return [str(program), "--config=containerd/config.toml"]


def kubelet(bin: Path, root: Path, plan: Plan, *, cloud: bool) -> list[str]:
    """In a cloud it leaves its node's addresses to others; elsewhere it knows them and takes every other away."""
    labels = {"region": plan.name, "zone": plan.node_name}
    return [
        f"{bin}/kubelet",
        "--config=kubelet.yaml",
        "--kubeconfig=kubelet.kubeconfig",
        f"--root-dir={root}",
        f"--cert-dir={root}/pki",
        f"--hostname-override={plan.node_name}",
        f"--node-ip={plan.node}",
        f"--node-labels={','.join(f'topology.kubernetes.io/{name}={value}' for name, value in labels.items())}",
        *(["--cloud-provider=external"] if cloud else []),
    ]


def proxy(bin: Path, plan: Plan) -> list[str]:
    """Its conntrack limits are zero ("leave as it is"), because they are settings of the whole machine."""
    return [
        f"{bin}/kube-proxy",
        f"--kubeconfig={PROXY.file}.kubeconfig",
        "--proxy-mode=iptables",
        f"--cluster-cidr={plan.pods}",
        f"--hostname-override={plan.node_name}",
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
    ]
