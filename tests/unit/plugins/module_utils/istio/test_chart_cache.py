"""The cache of charts: private, bounded, safe for several processes, and never in the way."""

import multiprocessing
import os
import stat
from pathlib import Path

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.chart_cache import ChartCache, default_folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_kept_is_found_again_and_nobody_else_reads_it(tmp_path: Path) -> None:
    cache = ChartCache(tmp_path / "deep" / "cache")
    old = os.umask(0)
    try:
        cache.write("a", b"content")
    finally:
        os.umask(old)
    assert cache.read("a") == b"content"
    assert (mode(tmp_path / "deep" / "cache"), mode(tmp_path / "deep" / "cache" / "a")) == (0o700, 0o600)
    assert cache.read("b") is None


def test_without_a_folder_nothing_is_kept() -> None:
    cache = ChartCache(None)
    cache.write("a", b"content")
    assert (cache.read("a"), cache.problem) == (None, "")


@pytest.mark.parametrize("open_to", [0o755, 0o710, 0o777])
def test_a_folder_that_others_can_enter_is_not_believed(tmp_path: Path, open_to: int) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "a").write_bytes(b"somebody's")
    folder.chmod(open_to)
    cache = ChartCache(folder)
    cache.write("b", b"content")
    assert (cache.read("a"), (folder / "b").exists()) == (None, False)
    assert cache.problem == f"{folder} is open to other users; close it by: chmod 700 {folder}"


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = ChartCache(tmp_path / "file" / "cache")
    cache.write("a", b"content")
    assert cache.problem == f"{tmp_path}/file/cache cannot be used: Not a directory"


def test_what_was_not_used_for_longest_makes_room(tmp_path: Path) -> None:
    cache = ChartCache(tmp_path / "cache", largest=25)
    for age, name in enumerate("abc"):
        cache.write(name, b"0123456789")
        for kept in (tmp_path / "cache").iterdir():
            os.utime(kept, (age if kept.name == name else kept.stat().st_mtime,) * 2)
        assert cache.read("a") is not None
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["a", "c"]


def _write_many(folder: Path, mark: bytes) -> None:
    cache = ChartCache(folder, largest=400_000)
    for number in range(100):
        cache.write(f"{number % 5}", mark * 100_000)
        kept = cache.read(f"{number % 3}")
        assert kept is None or (set(kept) in ({ord("a")}, {ord("b")}) and len(kept) == 100_000)


def test_processes_that_write_at_once_leave_whole_files(tmp_path: Path) -> None:
    """Each file is one process's, never a mixture, and nothing else is left behind."""
    workers = [multiprocessing.Process(target=_write_many, args=(tmp_path / "cache", mark)) for mark in (b"a", b"b")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert {path.name for path in (tmp_path / "cache").iterdir()} <= set("01234")


def test_the_default_is_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert default_folder() == Path("/caches/service_mesh.istio/charts")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/a")
    assert default_folder() == Path("/home/a/.cache/service_mesh.istio/charts")
