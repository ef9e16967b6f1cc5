"""ansible-test sanity, complete and without containers, on any machine that reaches a Python package index.

ansible-test wants three things that a contributor's checkout and machine need not have: a special path, a git
repository, and a download of pip from a server of its own. Here it gets a copy, a repository, and the pip that
comes with Python.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from ansible.release import __version__
from ansible_test._internal.host_configs import NativePythonConfig  # type: ignore[import-untyped]
from ansible_test._internal.python_requirements import get_venv_packages  # type: ignore[import-untyped]
from tree import CACHE, copy

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
# ansible-test keeps a virtual environment for each test below the home folder. Fresh clones find them in the cache.
HOME = CACHE / "ansible-test" / __version__
BOOTSTRAP = "import ensurepip\n\nensurepip.bootstrap(upgrade=True)\n"


def provide_pip() -> None:
    """Put a bootstrap where ansible-test keeps the one that it would download."""
    python = NativePythonConfig(version=VERSION, path=sys.executable)
    version = get_venv_packages(python)["pip"].replace(".", "_")
    script = HOME / ".ansible" / "test" / "cache" / f"get_pip_{version}.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(BOOTSTRAP, encoding="utf-8")


def provide_pip_settings() -> None:
    """A person's own package index is set in a home folder that ansible-test will not see."""
    settings = HOME / ".config" / "pip"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.unlink(missing_ok=True)
    settings.symlink_to(Path.home() / ".config" / "pip")


def judged(name: Path) -> bool:
    """What ships, and the settings of the tests: our own tests and tools are held to ruff and mypy."""
    return name.parts[0] != "tests" or name == Path("tests/config.yml")


def main(arguments: list[str]) -> int:
    """Run every sanity test that this machine can run, or those that the arguments choose: --test pylint."""
    tools = Path(sys.prefix)
    collection = copy(tools / "sanity", judged)
    subprocess.run(["git", "init", "--quiet"], cwd=collection, check=True)
    subprocess.run(["git", "add", "--all"], cwd=collection, check=True)
    environment = {**os.environ, "HOME": str(HOME)}
    provide_pip()
    provide_pip_settings()
    # Two checkouts that make the same virtual environment at once would break it for both.
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        options = ["--python", VERSION, "--requirements", "--color", "no", "--truncate", "0"]
        command = [str(tools / "bin" / "ansible-test"), "sanity", *options, *arguments]
        return subprocess.run(command, cwd=collection, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
