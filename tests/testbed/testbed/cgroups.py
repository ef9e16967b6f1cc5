"""The control groups of a bed's containers: one tree per bed, by which its containers' processes are found and ended.

Both generations: with version 1 the tree exists once in every hierarchy, with version 2 once.
"""

from __future__ import annotations

from pathlib import Path

from .processes import kill

MOUNTS = Path("/proc/self/mounts")
# What a kubelet wants to find in its group, as far as the machine has it, and io.
CONTROLLERS = ("cpu", "cpuset", "hugetlb", "io", "memory", "pids")
INHERITED = ("cpuset.cpus", "cpuset.mems")


def hierarchies() -> dict[Path, str]:
    """Where control groups are mounted, as "cgroup" (version 1) or "cgroup2" (which may be there beside version 1)."""
    fields = [line.split() for line in MOUNTS.read_text().splitlines()]
    return {Path(field[1]): field[2] for field in fields if field[2] in ("cgroup", "cgroup2")}


def working() -> dict[Path, str]:
    """Those in which containers are managed: version 1's where there are any."""
    everywhere = hierarchies()
    return {mount: kind for mount, kind in everywhere.items() if kind == "cgroup"} or everywhere


def root(bed_id: str, name: str = "") -> str:
    """The name of a cluster's group, as the kubelet wants it."""
    return f"/testbed-{bed_id}/{name}".rstrip("/")


def make(path: str) -> None:
    """The group in every hierarchy, able to hold groups of its own."""
    for mount, kind in working().items():
        group = mount
        for part in path.strip("/").split("/"):
            if kind == "cgroup2":
                delegate(group)
            group = group / part
            group.mkdir(exist_ok=True)
            if kind == "cgroup":
                inherit(group)
        if kind == "cgroup2":
            delegate(group)


def delegate(group: Path) -> None:
    """Version 2: the controllers are for the groups below, too."""
    offered = (group / "cgroup.controllers").read_text().split()
    enabled = (group / "cgroup.subtree_control").read_text().split()
    wanted = [f"+{name}" for name in CONTROLLERS if name in offered and name not in enabled]
    if wanted:
        (group / "cgroup.subtree_control").write_text(" ".join(wanted))


def inherit(group: Path) -> None:
    """Version 1: a new cpuset is empty, and nothing can run in it."""
    for name in INHERITED:
        if (group / name).exists():
            (group / name).write_text((group.parent / name).read_text())


def members(path: str) -> list[int]:
    """Processes in the group or below it, in any hierarchy."""
    files = [file for mount in hierarchies() for file in (mount / path.strip("/")).rglob("cgroup.procs")]
    return sorted({int(pid) for file in files for pid in read(file).split()})


def read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the group went away while we looked
        return ""


def remove(path: str) -> None:
    """Ends what runs there and removes the groups, the innermost first."""
    kill(lambda: members(path), lambda pid: f"{path}" in read(Path(f"/proc/{pid}/cgroup")))
    for mount in hierarchies():
        group = mount / path.strip("/")
        for folder in sorted((item for item in group.rglob("*") if item.is_dir()), reverse=True):
            folder.rmdir()
        if group.exists():
            group.rmdir()
