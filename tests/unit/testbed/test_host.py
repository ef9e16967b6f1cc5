"""What the machine must bring: each lack is said in one sentence, before anything is started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from testbed import host, layout, toolchain
from testbed.errors import BedError
from testbed.host import Need
from testbed.layout import SOURCE, Bed

LACKING = (Need("no-such-program", "no-such-package"),)


def test_what_is_there_is_not_asked_for() -> None:
    host.require([Need("sh", "dash")])


def test_without_root_the_sentence_names_program_package_and_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(BedError, match=r"lacks no-such-program .*apt-get install no-such-package"):
        host.require(LACKING)
    with pytest.raises(BedError, match="needs root: run it with sudo"):
        host.require_root()


def test_without_apt_nothing_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BedError, match="install your distribution's packages"):
        host.require(LACKING)


def test_services_stay_down_without_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(host, "POLICY", policy)
    with host.services_kept_down():
        assert subprocess.run([policy], check=False).returncode == 101
    assert not policy.exists()


def test_a_machines_own_policy_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("own")
    monkeypatch.setattr(host, "POLICY", policy)
    with host.services_kept_down():
        assert policy.read_text() == "own"
    assert policy.read_text() == "own"


@pytest.mark.parametrize(
    ("says", "version"),
    [("go version go1.26.6 linux/amd64", (1, 26)), ("go version go1.9 linux/amd64", (1, 9)), ("devel", (0, 0))],
)
def test_the_version_of_go_is_read(tmp_path: Path, says: str, version: tuple[int, int]) -> None:
    command = tmp_path / "go"
    command.write_text(f"#!/bin/sh\necho '{says}'\n")
    command.chmod(0o755)
    assert toolchain.version(str(command)) == version


def test_a_fetched_toolchain_serves_when_path_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "toolchain" / f"go-{toolchain.PINNED}" / "somewhere" / "bin" / "go"
    command.parent.mkdir(parents=True)
    command.touch()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert toolchain.go(Bed(tmp_path, "unit")) == command


def test_two_checkouts_and_two_users_have_beds_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    own = layout.bed().id
    monkeypatch.setattr(layout, "CHECKOUT", Path("/elsewhere"))
    other = layout.bed().id
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    assert len({own, other, layout.bed().id}) == 3


def test_a_cache_too_deep_for_sockets_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_MESH_ISTIO_CACHE", "/" + "x" * 90)
    with pytest.raises(BedError, match="too long for Unix sockets: set SERVICE_MESH_ISTIO_CACHE"):
        layout.bed()


def test_a_python_without_the_libraries_is_told_how_to_get_them() -> None:
    """An isolated Python has none but its own."""
    argv = [sys.executable, "-I", "-S", str(SOURCE / "__main__.py")]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "make venv" in result.stderr


def test_the_command_works_through_a_link_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "bed").symlink_to(SOURCE / "bed")
    text = subprocess.run(["./bed", "--help"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    for name in ("up", "down", "status", "build", "logs", "env", "reset", "forward"):
        assert name in text
