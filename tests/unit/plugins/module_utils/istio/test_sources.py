"""Which files `src` means, in which order, and why one is refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.sources import (
    LARGEST_FILE,
    packed_files,
    unpacked_documents,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.yaml_text import InvalidSource

NOBODY = 65534
NAMES = ("b.yaml", "a.yml", "c.json", "notes.txt", ".hidden.yaml", "team/x.yaml", "team/deep/y.yaml", ".git/z.yaml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        file = tmp_path / "routes" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('{"a": 1}')
    return tmp_path


def packed(folder: Path, *asked: str) -> list[str]:
    def decrypt(path: str) -> bytes:
        return b"secret: " + Path(path).read_bytes()[-1:]

    return packed_files(asked, lambda path: str(folder / path), decrypt, [str(folder)])


def places(folder: Path, *asked: str) -> list[str]:
    return [document.place.partition(", ")[0] for document in unpacked_documents(packed(folder, *asked))]


def refused(folder: Path, *asked: str) -> str:
    with pytest.raises(InvalidSource) as refusal:
        packed(folder, *asked)
    return str(refusal.value)


FOLDER = ["routes/a.yml", "routes/b.yaml", "routes/c.json", "routes/team/x.yaml", "routes/team/deep/y.yaml"]


def test_a_folder_is_all_that_is_no_tools_business(folder: Path) -> None:
    assert places(folder, "routes") == places(folder, "routes/") == FOLDER


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("routes/*.yaml", ["routes/b.yaml"]),
        ("routes/[ab].y*ml", ["routes/a.yml", "routes/b.yaml"]),
        ("routes/*/x.yaml", ["routes/team/x.yaml"]),
        ("routes/**/y.yaml", ["routes/team/deep/y.yaml"]),
        ("routes/te*", ["routes/team/x.yaml", "routes/team/deep/y.yaml"]),
        ("*/b.yaml", ["routes/b.yaml"]),
    ],
)
def test_a_pattern_is_what_it_matches(folder: Path, pattern: str, expected: list[str]) -> None:
    assert places(folder, pattern) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("*.yaml", ["role.yaml"]),
        ("*.y*ml", ["role.yaml"]),
        ("./b*", ["./b.yaml"]),
        ("*/x.yaml", ["team/x.yaml"]),
        ("**/y.yaml", ["team/deep/y.yaml"]),
        (".", ["./role.yaml"]),
    ],
)
def test_what_begins_with_a_pattern_is_looked_for_in_every_folder(
    folder: Path, asked: str, expected: list[str]
) -> None:
    """The first in which it matches something is meant."""
    (folder / "files").mkdir()
    (folder / "files" / "role.yaml").write_text("a: 1")

    def never(path: str) -> str:
        raise AssertionError(path)

    where = [str(folder / name) for name in ("nowhere", "files", "routes")]
    read = packed_files([asked], never, lambda _path: b"", where)
    assert [document.place.partition(", ")[0] for document in unpacked_documents(read)] == expected
    with pytest.raises(
        InvalidSource, match=rf"'\*.nothing' holds no manifests: .* for it in {folder}/files, {folder}/routes"
    ):
        packed_files(["*.nothing"], never, lambda _path: b"", where)


def test_a_file_may_have_any_name_and_counts_once(folder: Path) -> None:
    assert places(folder, "routes/notes.txt", "routes/b.yaml", "routes/*.yaml") == ["routes/notes.txt", "routes/b.yaml"]


@pytest.mark.parametrize("blank", ["", " "])
def test_an_entry_without_text_is_not_the_folder_of_the_playbook(folder: Path, blank: str) -> None:
    told = refused(folder, "routes", blank)
    assert "src[1] is empty" in told
    assert "'src: []' says that no file is meant" in told


def test_an_absolute_path_stays_one(folder: Path) -> None:
    assert places(folder, f"{folder}/routes/*.yaml", f"{folder}/routes/a.yml") == [
        f"{folder}/routes/b.yaml",
        f"{folder}/routes/a.yml",
    ]


def test_vaulted_text_is_decrypted_and_a_mark_of_its_order_removed(folder: Path) -> None:
    (folder / "vaulted").write_text("$ANSIBLE_VAULT;1.1;AES256\n7")
    (folder / "marked").write_bytes(b"\xef\xbb\xbfa: 1")
    assert [found.content for found in unpacked_documents(packed(folder, "vaulted", "marked"))] == [
        {"secret": 7},
        {"a": 1},
    ]


@pytest.mark.parametrize("asked", ["routes/*.txt", "nothing*", "empty"])
def test_what_holds_nothing_is_a_mistake(folder: Path, asked: str) -> None:
    (folder / "empty").mkdir()
    assert refused(folder, asked).startswith(f"'{asked}' holds no manifests: no *.yaml, *.yml, *.json ")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a: \0", "it is binary, not text"),
        (b"a: 1\nb: \xe9\n", "f.yaml, line 2 cannot be read: it is not UTF-8"),
        ("a: 1".encode("utf-16"), "it is UTF-16, not UTF-8"),
    ],
)
def test_what_is_no_text_is_refused(folder: Path, content: bytes, told: str) -> None:
    (folder / "f.yaml").write_bytes(content)
    assert told in refused(folder, "f.yaml")


def test_a_large_file_is_refused_by_its_size_alone(folder: Path) -> None:
    """A sparse file of a terabyte could not be read."""
    file = folder / "f.yaml"
    for size, told in ((LARGEST_FILE + 1, "it has 5.0 MB"), (50_000_000, "it has 50.0 MB"), (10**12, "1000000.0 MB")):
        file.touch()
        os.truncate(file, size)
        assert told in refused(folder, "f.yaml")
        assert "Split it" in refused(folder, "f.yaml")


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "f.yaml")
    assert "it is no file" in refused(folder, "f.yaml")


def test_a_file_that_is_gone_is_told(folder: Path) -> None:
    assert "gone.yaml cannot be read: No such file" in refused(folder, "gone.yaml")


def test_a_file_is_judged_by_every_entry_that_means_it(folder: Path) -> None:
    """Without objects it is an accident where it was named itself, and where nothing else of its folder holds some."""
    (folder / "routes" / "b.yaml").write_text("# nothing")

    def read(*asked: str) -> list[object]:
        return list(unpacked_documents(packed(folder, *asked), each_holds_some=True))

    assert len(read("routes")) == len(FOLDER) - 1
    for asked in (["routes", "routes/b.yaml"], ["routes/b.yaml", "routes"]):
        with pytest.raises(InvalidSource, match=r"^'routes/b.yaml' of 'src' holds no object"):
            read(*asked)
    with pytest.raises(InvalidSource, match=r"^'routes/b\*' of 'src' holds no object"):
        read("routes/b*", "routes")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("shop", ["shop/B.YAML", "shop/c.Json", "shop/linked/x.yaml", "shop/linked/deep/y.yaml"]),
        ("shop/*", ["shop/B.YAML", "shop/c.Json", "shop/linked/x.yaml", "shop/linked/deep/y.yaml"]),
        ("shop/**/*.yaml", ["shop/linked/x.yaml", "shop/linked/deep/y.yaml"]),
        ("shop/**", ["shop/B.YAML", "shop/c.Json", "shop/linked/x.yaml", "shop/linked/deep/y.yaml"]),
    ],
)
def test_links_are_followed_once_and_suffixes_may_be_capitals(folder: Path, asked: str, expected: list[str]) -> None:
    """Two links go round: there are more ways through them than could be walked."""
    shop = folder / "shop"
    shop.mkdir()
    for name in ("B.YAML", "c.Json"):
        (shop / name).write_text('{"a":\t1}' if name == "c.Json" else "a: 1")
    for name, target in {"linked": "../routes/team", "round": ".", "and-round": "../shop", ".git": "linked"}.items():
        (shop / name).symlink_to(target)
    assert places(folder, asked) == expected


def test_a_file_counts_once_whatever_links_lead_to_it(folder: Path) -> None:
    (folder / "routes" / "again.yaml").symlink_to("b.yaml")
    (folder / "linked").symlink_to("routes/team")
    assert places(folder, "routes/b.yaml", "routes/again.yaml") == ["routes/b.yaml"]
    assert places(folder, "linked", "routes/team") == ["linked/x.yaml", "linked/deep/y.yaml"]


@pytest.mark.parametrize("name", ["team/gone", "team/gone.yaml"])
@pytest.mark.parametrize("asked", ["routes", "routes/*", "routes/*/*"])
def test_a_link_that_leads_nowhere_is_not_left_out(folder: Path, name: str, asked: str) -> None:
    (folder / "routes" / name).symlink_to("/nowhere/at/all")
    assert f"routes/{name}" in refused(folder, asked)
    assert "cannot be read: No such file" in refused(folder, asked)


@contextmanager
def without_roots_rights() -> Iterator[None]:
    """To root no folder is closed."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.mark.parametrize(
    ("asked", "closed"),
    [
        ("routes", "routes"),
        ("routes", "routes/team"),
        ("routes", "routes/team/deep"),
        ("routes/*.yaml", "routes"),
        ("routes/*/x.yaml", "routes/team"),
        ("routes/**/y.yaml", "routes/team/deep"),
        ("routes/te*", "routes/team/deep"),
    ],
)
def test_a_folder_that_cannot_be_read_is_not_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch, asked: str, closed: str
) -> None:
    """Paths are relative here, because what lies above the test's folder is closed to others as well."""
    folder.chmod(0o755)
    monkeypatch.chdir(folder)
    assert packed(Path(), asked)
    Path(closed).chmod(0)
    try:
        with without_roots_rights():
            told = refused(Path(), asked)
    finally:
        Path(closed).chmod(0o755)
    assert told.startswith(f"the folder '{closed}' cannot be read: Permission denied. Give the user")


def test_a_path_that_nobody_has_read_is_no_empty_file() -> None:
    with pytest.raises(InvalidSource, match="routes has not been read"):
        list(unpacked_documents(["routes"]))
