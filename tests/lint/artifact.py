"""Builds the collection, installs it as a user would, and reads its documentation from there.

What is left in .venv/artifact is an installed collection: ANSIBLE_COLLECTIONS_PATH=.venv/artifact runs the playbooks
from it instead of from the checkout.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

from tree import ROOT, copy

ARTIFACT = ROOT / ".venv" / "artifact"
BUILD = ROOT / ".venv" / "build"
# Whatever else turns up is a file that nobody decided to ship: add it here, or to build_ignore in galaxy.yml.
SHIPPED = {
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.md",
    "SECURITY.md",
    "changelogs",
    "docs",
    "extensions",
    "meta",
    "playbooks",
    "plugins",
    "requirements.txt",
    "roles",
}
# Galaxy takes no more than 20 MB; ours is text, so a tenth of that already means that something slipped in.
LARGEST = 2_000_000


def run(*argv: str, **environment: str) -> str:
    """Run a command of Ansible's; its own message is the error."""
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}).stdout


def build() -> Path:
    """Make the archive from a clean copy of the tree."""
    collection = copy(BUILD)
    run("ansible-galaxy", "collection", "build", "--force", "--output-path", str(BUILD), str(collection))
    return next(BUILD.glob("*.tar.gz"))


def strangers(archive: Path) -> list[str]:
    """What the archive holds at its top and should not."""
    with tarfile.open(archive) as content:
        return sorted({name.split("/")[0] for name in content.getnames()} - SHIPPED)


def install(archive: Path) -> None:
    """As a user does, into a place of its own."""
    command = ["ansible-galaxy", "collection", "install", "--force", "--offline", "--no-deps"]
    run(*command, "--collections-path", str(ARTIFACT), str(archive), ANSIBLE_GALAXY_COLLECTIONS_PATH_WARNING="false")


def documented(kind: str) -> int:
    """How many plugins of a kind the installed collection documents. Broken documentation stops ansible-doc."""
    home = {"ANSIBLE_COLLECTIONS_PATH": str(ARTIFACT)}
    names = json.loads(run("ansible-doc", "--type", kind, "--list", "--json", "service_mesh.istio", **home))
    if names:
        run("ansible-doc", "--type", kind, "--json", *names, **home)
    return len(names)


def main() -> int:
    """Build, look inside, install, read."""
    archive = build()
    if unwanted := strangers(archive):
        print(f"{archive.name} ships what it should not: {', '.join(unwanted)}. Name it in build_ignore of galaxy.yml.")
        return 1
    if archive.stat().st_size > LARGEST:
        print(f"{archive.name} has {archive.stat().st_size} bytes; more than {LARGEST} means that a build slipped in.")
        return 1
    install(archive)
    for kind in ("module", "role"):
        print(f"{documented(kind)} {kind}s documented in {archive.name}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}")
