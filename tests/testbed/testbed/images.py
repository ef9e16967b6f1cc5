"""Container images without a container engine: an archive with one layer; the same files give the same image."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from .errors import BedError

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
# istio-init and the sidecars look users and protocols up by name.
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n"
    "istio-proxy:x:1337:1337:istio-proxy:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\nistio-proxy:x:1337:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
    "etc/protocols": "ip 0 IP\nicmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\n",
}
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
# glibc loads these by name when it resolves one, so ldd does not list them.
NAME_SERVICE = ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2")


@dataclass(frozen=True)
class Image:
    """Its name, what it starts, and as whom."""

    name: str
    entrypoint: tuple[str, ...]
    user: str = ""


def write(image: Image, root: Path, archive: Path) -> None:
    """The docker-archive of a root folder: the layer, the configuration and a manifest that names the two."""
    layer = archive.with_suffix(".layer")
    with tarfile.open(layer, "w") as content:
        for path in sorted(root.rglob("*")):
            content.add(path, arcname=str(path.relative_to(root)), recursive=False, filter=anonymous)
    digest = sha256(layer)
    configuration = json.dumps(describe(image, digest)).encode()
    config_name = f"{hashlib.sha256(configuration).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [image.name], "Layers": [f"{digest}/layer.tar"]}]
    with tarfile.open(archive, "w") as whole:
        whole.add(layer, arcname=f"{digest}/layer.tar", filter=anonymous)
        add(whole, config_name, configuration)
        add(whole, "manifest.json", json.dumps(manifest).encode())
    layer.unlink()


def describe(image: Image, layer: str) -> dict[str, object]:
    return {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {
            "Entrypoint": list(image.entrypoint),
            "Env": [f"PATH={PATH}"],
            "User": image.user,
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
    }


def anonymous(item: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without whom and when."""
    item.uid = item.gid = item.mtime = 0
    item.uname = item.gname = ""
    return item


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    item = tarfile.TarInfo(name)
    item.size = len(content)
    archive.addfile(item, BytesIO(content))


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def skeleton(root: Path) -> None:
    """What every image has: accounts, certificates, a place for temporary files."""
    for name, text in ACCOUNTS.items():
        place(root, name).write_text(text)
    if Path("/", CERTIFICATES).exists():
        copy(Path("/", CERTIFICATES), place(root, CERTIFICATES))
    for name in ("var/run/secrets", "proc", "sys", "dev", "run"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)


def place(root: Path, name: str) -> Path:
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def copy(source: Path, target: Path) -> None:
    """The file itself where the source is a link."""
    shutil.copy2(source.resolve(), target)


def program(root: Path, source: Path, name: str) -> None:
    """A program and, when it is not static, the libraries that it loads, at the paths where it looks for them."""
    copy(source, place(root, name))
    for library in libraries(source):
        copy(library, place(root, str(library)))


def libraries(source: Path) -> list[Path]:
    listing = subprocess.run(["ldd", str(source)], capture_output=True, text=True, check=False)
    if listing.returncode:
        return []
    if "not found" in listing.stdout:
        raise BedError(f"{source} needs libraries that this machine lacks:\n{listing.stdout}")
    words = [word for line in listing.stdout.splitlines() for word in line.split() if word.startswith("/")]
    found = [Path(word) for word in words]
    libc = next((path.parent for path in found if path.name == "libc.so.6"), None)
    return found + [libc / name for name in NAME_SERVICE if libc and (libc / name).exists()]


def iptables(root: Path, tables: Path, plugins: Sequence[Path]) -> None:
    """The nftables variant of iptables under all its names: istio-init and the agent call it."""
    program(root, tables, "usr/sbin/xtables-nft-multi")
    for family in ("iptables", "ip6tables"):
        for name in (
            family,
            f"{family}-save",
            f"{family}-restore",
            f"{family}-nft",
            f"{family}-nft-save",
            f"{family}-nft-restore",
        ):
            (root / "usr/sbin" / name).symlink_to("xtables-nft-multi")
    for plugin in plugins:
        copy(plugin, place(root, str(plugin)))
