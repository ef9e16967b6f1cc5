"""What the machine itself must bring: root, and Debian's container programs.

Everything is looked at before anything is started, and what is missing is said in one sentence. Where apt and root are
there, the packages are installed, their services not started.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import BedError
from .progress import heartbeat, say

ADMINISTRATORS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
CNI_FOLDERS = ("/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni")
CNI_PLUGINS = ("ptp", "host-local", "portmap")
POLICY = Path("/usr/sbin/policy-rc.d")
DO_NOT_START = "#!/bin/sh\nexit 101\n"


@dataclass(frozen=True)
class Need:
    """A program and the Debian package that has it."""

    program: str
    package: str


PROXY_IMAGE = (Need("xtables-nft-multi", "iptables"),)
NODE = (
    *PROXY_IMAGE,
    Need("containerd", "containerd"),
    Need("ctr", "containerd"),
    Need("runc", "runc"),
    *(Need(plugin, "containernetworking-plugins") for plugin in CNI_PLUGINS),
    Need("iptables", "iptables"),
    Need("conntrack", "conntrack"),
    Need("ip", "iproute2"),
    Need("nsenter", "util-linux"),
    Need("mount", "mount"),
)


def search_path() -> str:
    """PATH and the folders that people's PATH often lacks."""
    return os.pathsep.join([os.environ.get("PATH", ""), *ADMINISTRATORS])


def look(program: str) -> Path | None:
    """A program by name: on PATH, where administrators' programs are, or among the CNI plugins."""
    path = os.pathsep.join(CNI_FOLDERS) if program in CNI_PLUGINS else search_path()
    found = shutil.which(program, path=path)
    return Path(found) if found else None


def find(program: str) -> Path:
    found = look(program)
    if not found:
        raise BedError(f"{program} is not on this machine")
    return found


def cni_folder() -> Path:
    return find("host-local").parent


def iptables_plugins() -> list[Path]:
    """The matches and targets that iptables loads."""
    return sorted(
        path
        for pattern in ("lib/*/xtables", "lib64/xtables", "lib/xtables")
        for path in Path("/usr").glob(f"{pattern}/*.so")
    )


def require_root() -> None:
    if os.geteuid() != 0:
        raise BedError(
            "lane cluster makes namespaces and mounts and so needs root: run it with sudo (lane api needs no root)"
        )


def require(needs: Iterable[Need]) -> None:
    """Installs what is missing, or says how to get it."""
    lacking = [need for need in needs if not look(need.program)]
    if not lacking:
        return
    packages = sorted({need.package for need in lacking})
    programs = ", ".join(need.program for need in lacking)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        how = "run this once as root" if shutil.which("apt-get") else "install your distribution's packages for them"
        raise BedError(
            f"this machine lacks {programs} (Debian: apt-get install {' '.join(packages)}): {how}, then try again"
        )
    install(packages)


def install(packages: list[str]) -> None:
    """apt, without recommended packages and without starting services; lists are fetched only when they lack one."""
    say(f"installing Debian packages: {' '.join(packages)}")
    argv = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    with services_kept_down(), heartbeat("apt-get"):
        for commands in ([argv], [["apt-get", "update", "-qq"], argv]):
            results = [apt(command) for command in commands]
            if not results[-1].returncode:
                return
    raise BedError(f"`{' '.join(argv)}` failed:\n{results[-1].stdout[-2000:]}")


def apt(argv: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(
        argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


@contextmanager
def services_kept_down() -> Iterator[None]:
    """Debian asks this script before it starts a service; a machine's own script is left alone."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text(DO_NOT_START)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
