"""Builds: what a key depends on, the order of making, and that a build is there whole or not at all."""

from __future__ import annotations

import tarfile
import threading
import time
from pathlib import Path

import pytest
from testbed import build, images, parts, recipes
from testbed.errors import BedError
from testbed.layout import Bed
from testbed.parts import PARTS, GoBuild, Part


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path, "unit")


def add(monkeypatch: pytest.MonkeyPatch, part: Part) -> None:
    monkeypatch.setitem(PARTS, part.name, part)
    parts.key.cache_clear()


def test_every_part_has_a_recipe_and_its_needs() -> None:
    for part in PARTS.values():
        assert part.recipe in recipes.RECIPES
        assert set(part.needs) <= set(PARTS)


def test_parts_come_after_what_they_are_made_of() -> None:
    order = [part.name for part in parts.with_needs(list(PARTS))]
    assert len(order) == len(set(order)) == len(PARTS)
    for part in PARTS.values():
        assert all(order.index(need) < order.index(part.name) for need in part.needs)


def test_the_default_is_what_a_cluster_of_the_default_version_needs() -> None:
    names = {part.name for part in parts.with_needs(parts.default())}
    assert {"kube", "helm", "envoy", "image-pause", "image-proxyv2-1.29.1", "charts-1.29.1"} <= names
    assert not [name for name in names if "1.28.3" in name or "1.31.0" in name]


def test_the_node_agent_comes_when_it_is_asked_for() -> None:
    agents = set(parts.cluster_parts(("1.29.1", "1.31.0"), cni=True)) - set(parts.cluster_parts(("1.29.1", "1.31.0")))
    assert agents == {"image-install-cni-1.29.1", "image-install-cni-1.31.0"}


@pytest.mark.parametrize("changed", ["go.sum", "main.go"])
def test_a_key_follows_the_committed_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str) -> None:
    folder = tmp_path / "go" / "module"
    folder.mkdir(parents=True)
    for name in ("go.mod", "go.sum", "main.go"):
        (folder / name).write_text(name)
    monkeypatch.setattr(parts, "SOURCE", tmp_path)
    add(monkeypatch, Part("p", "go_module", "module"))
    before = parts.key("p")
    (folder / changed).write_text("other")
    parts.key.cache_clear()
    assert parts.key("p") != before


def test_a_key_follows_flags_facts_and_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    variants = [
        Part("p", "r"),
        Part("p", "r", builds=(GoBuild((".",)),)),
        Part("p", "r", builds=(GoBuild((".",), tags="t"),)),
        Part("p", "r", facts=("f",)),
        Part("p", "r", needs=("envoy",)),
        Part("p", "other"),
    ]
    keys = set()
    for variant in variants:
        add(monkeypatch, variant)
        keys.add(parts.key("p"))
    assert len(keys) == len(variants)


def test_an_unknown_part_is_answered_with_the_known_ones() -> None:
    with pytest.raises(BedError, match=r"no part 'kub'; the parts are: .*kube"):
        parts.with_needs(["kub"])


def test_a_build_is_made_once(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def recipe(shop: recipes.Workshop) -> None:
        made.append(shop.part.name)
        (shop.out / "result").write_text("x")

    monkeypatch.setitem(recipes.RECIPES, "r", recipe)
    add(monkeypatch, Part("p", "r"))
    assert list(build.ensure(bed, ["p"])) == ["p"]
    assert build.ensure(bed, ["p"]) == {}
    assert made == ["p"]
    assert (recipes.built(bed, "p") / "result").read_text() == "x"


def test_a_failed_build_leaves_no_build_and_shows_its_log(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    def recipe(shop: recipes.Workshop) -> None:
        (shop.out / "half").write_text("x")
        shop.run(["sh", "-c", "echo the cause; exit 3"], shop.out)

    monkeypatch.setitem(recipes.RECIPES, "r", recipe)
    add(monkeypatch, Part("p", "r"))
    with pytest.raises(BedError, match=r"(?s)p: `sh -c .*` ended with 3.*the cause"):
        build.ensure(bed, ["p"])
    assert not recipes.built(bed, "p").exists()


def test_the_second_of_two_waits_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entered = threading.Event()
    ends: list[float] = []

    def first() -> None:
        with build.locked(tmp_path / "lock", "unused"):
            entered.set()
            time.sleep(0.3)
            ends.append(time.monotonic())

    thread = threading.Thread(target=first)
    thread.start()
    entered.wait()
    with build.locked(tmp_path / "lock", "waiting for the first"):
        assert time.monotonic() >= ends[0]
    thread.join()
    assert "waiting for the first" in capsys.readouterr().err


def test_the_same_files_give_the_same_image(tmp_path: Path) -> None:
    archives = []
    for name in ("a", "b"):
        root = tmp_path / name
        images.place(root, "usr/bin/program").write_text("program")
        images.write(images.Image("docker.io/library/x:1", ("/usr/bin/program",)), root, tmp_path / f"{name}.tar")
        archives.append((tmp_path / f"{name}.tar").read_bytes())
        time.sleep(0.01)
    assert archives[0] == archives[1]
    with tarfile.open(tmp_path / "a.tar") as whole:
        manifest = whole.extractfile("manifest.json")
        assert manifest is not None
        assert b"docker.io/library/x:1" in manifest.read()


def test_archived_charts_name_the_images_of_their_release() -> None:
    values = "global:\n  hub: gcr.io/istio-testing\n  tag: latest\n"
    assert recipes.released(values, "1.29.1") == "global:\n  hub: docker.io/istio\n  tag: 1.29.1\n"
