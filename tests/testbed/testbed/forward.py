"""Ports on the host's loopback that lead to a port of a cluster's node; one forwarder process each."""

from __future__ import annotations

import socket
import sys

from . import namespaces, processes
from .layout import SOURCE, Cluster
from .processes import Argv

PROGRAM = SOURCE / "testbed" / "forwarder.py"
BACKLOG = 256


def ensure(cluster: Cluster, node: str, port: int) -> int:
    """The local port for a port of the node; the same one when it was asked for before and its forwarder lives."""
    name = f"forward-{port}"
    record = cluster.folder / "forwards" / str(port)
    if record.exists() and name in processes.components(cluster.mark):
        return int(record.read_text())
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(BACKLOG)
        local = int(listener.getsockname()[1])
        argv: Argv = [
            *namespaces.of(cluster.bed, cluster.name).network,
            sys.executable,
            PROGRAM,
            str(listener.fileno()),
            node,
            str(port),
        ]
        processes.start(
            name, argv, mark=cluster.mark, log=cluster.log(name), folder=cluster.folder, pass_fds=[listener.fileno()]
        )
    record.parent.mkdir(exist_ok=True)
    record.write_text(str(local))
    return local
