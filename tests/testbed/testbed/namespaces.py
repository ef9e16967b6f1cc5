"""The namespaces in which a lane's clusters live.

A namespace is held by a process of the bed and not bound to a file: when the bed's processes end, however they end, the
kernel takes the namespaces, their interfaces, routes, rules and mounts with them, and nothing can be left on the host.
The mount namespace keeps what a node writes to fixed places (/run, /var/lib, /var/log) away from the host.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import processes
from .errors import BedError
from .layout import Bed
from .processes import Argv, Child

# Settings of the whole machine that a kubelet insists on changing; here it changes copies.
SETTINGS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
# The folder of the bed stays visible where it lies below one of the covered ones.
HOLD = """
exec 3< "$1"
for covered in /run /var/lib /var/log; do mount -t tmpfs -o mode=755 tmpfs "$covered"; done
cd /proc/sys
for setting in $3; do
    mkdir -p "/run/sys/${setting%/*}"; cat "$setting" > "/run/sys/$setting"; mount --bind "/run/sys/$setting" "$setting"
done
cd /
mkdir -p "$1" && [ "$1" -ef /proc/self/fd/3 ] || mount --rbind /proc/self/fd/3 "$1"
exec 3<&-
: > "$2"
exec sleep infinity
"""


@dataclass(frozen=True)
class Namespaces:
    """A network namespace and, of a cluster, a mount namespace; as links to what /proc shows of their holder."""

    net: Path
    mnt: Path

    @property
    def inside(self) -> list[str]:
        """What to put before a command line to run it inside."""
        return ["nsenter", f"--net={self.net}", f"--mount={self.mnt}", "--", "sh", "-c", 'cd "$0" && exec "$@"']

    @property
    def network(self) -> list[str]:
        """The same for programs that need only the network."""
        return ["nsenter", f"--net={self.net}", "--"]


def of(bed: Bed, name: str) -> Namespaces:
    folder = bed.lane("cluster") / "netns"
    return Namespaces(folder / name, folder / f"{name}.mnt")


def hold(bed: Bed, name: str) -> Namespaces:
    """Makes the namespaces of a cluster (or of the switch) and waits until they are furnished."""
    made = of(bed, name)
    made.net.parent.mkdir(parents=True, exist_ok=True)
    ready = made.net.parent / f"{name}.ready"
    script: Argv = ["sh", "-e", "-c", HOLD, "hold", bed.cache, ready, " ".join(SETTINGS)]
    argv: Argv = ["unshare", "--net", "--mount", "--propagation", "slave", "--", *script]
    mark = f"{bed.id}/cluster/{name}"
    child = processes.start(
        "holder", argv, mark=mark, log=bed.lane("cluster") / "netns" / f"{name}.log", folder=bed.cache
    )
    processes.wait_until(ready.exists, f"the namespaces of {name} are ready", 10, [child])
    link(made, child)
    return made


def link(made: Namespaces, child: Child) -> None:
    made.net.symlink_to(f"/proc/{child.process.pid}/ns/net")
    made.mnt.symlink_to(f"/proc/{child.process.pid}/ns/mnt")


def run(space: Namespaces, argv: Sequence[str], stdin: str = "") -> None:
    """A command in the network namespace that must succeed."""
    result = subprocess.run([*space.network, *argv], input=stdin, capture_output=True, text=True, check=False)
    if result.returncode:
        raise BedError(
            f"`{' '.join(argv)}` in network namespace {space.net} failed:\n{result.stderr}{result.stdout}{stdin}"
        )
