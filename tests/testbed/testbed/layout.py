"""Where everything lies: builds shared by all checkouts, and one folder per bed, known by user and checkout."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from .errors import BedError

SOURCE = Path(__file__).resolve().parent.parent
CHECKOUT = SOURCE.parent.parent
LANES = ("api", "cluster")
# A Unix socket's path may have 107 characters; the longest below a cluster's folder is that of containerd's ttrpc.
SOCKET_PATH = 107
LONGEST_SOCKET = "cluster/northeast/containerd/c.ttrpc"


@dataclass(frozen=True)
class Bed:
    """One user's bed for one checkout."""

    cache: Path
    id: str

    @property
    def builds(self) -> Path:
        return self.cache / "builds"

    @property
    def run(self) -> Path:
        return self.cache / "run" / self.id

    @property
    def lock(self) -> Path:
        return self.cache / "run" / f"{self.id}.lock"

    @property
    def bin(self) -> Path:
        return self.run / "bin"

    @property
    def charts(self) -> Path:
        return self.run / "charts"

    def lane(self, lane: str) -> Path:
        return self.run / lane

    def cluster(self, lane: str, name: str) -> Cluster:
        return Cluster(self, lane, name)

    def clusters(self, lane: str) -> list[Cluster]:
        """The clusters that have a folder, whether they run or not."""
        names = sorted(path.parent.name for path in self.lane(lane).glob("*/cluster.json"))
        return [self.cluster(lane, name) for name in names]


@dataclass(frozen=True)
class Cluster:
    """The files of one cluster."""

    bed: Bed
    lane: str
    name: str

    @property
    def folder(self) -> Path:
        return self.bed.lane(self.lane) / self.name

    @property
    def mark(self) -> str:
        return f"{self.bed.id}/{self.lane}/{self.name}"

    @property
    def record(self) -> Path:
        return self.folder / "cluster.json"

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @property
    def kubeconfig(self) -> Path:
        """For the host."""
        return self.folder / "kubeconfig"

    @property
    def kubeconfig_node(self) -> Path:
        """By the node's address: inside the cluster, from the switch and between clusters."""
        return self.folder / "kubeconfig-node"

    @property
    def audit_log(self) -> Path:
        return self.folder / "audit.log"

    @property
    def kubectl_cache(self) -> Path:
        """What kubectl remembers of a server: ports come again, servers do not."""
        return self.folder / "kubectl-cache"

    @property
    def token_file(self) -> Path:
        return self.pki / "admin.token"

    def log(self, component: str) -> Path:
        return self.folder / "logs" / f"{component}.log"

    @property
    def netns(self) -> Path:
        """Leads to the network namespace while it is there; lane api has none."""
        return self.bed.lane(self.lane) / "netns" / self.name


def bed() -> Bed:
    """This user's bed for this checkout."""
    home = os.environ.get("SERVICE_MESH_ISTIO_CACHE") or Path.home() / ".cache" / "service_mesh.istio"
    cache = Path(home).absolute()
    name = hashlib.sha256(f"{os.getuid()}:{CHECKOUT}".encode()).hexdigest()[:8]
    found = Bed(cache, name)
    if len(str(found.run / LONGEST_SOCKET)) > SOCKET_PATH:
        raise BedError(
            f"the cache folder's path {cache} is too long for Unix sockets: "
            "set SERVICE_MESH_ISTIO_CACHE to a shorter one"
        )
    return found
