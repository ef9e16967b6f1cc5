"""Charts: found in every layout, refused when they are something else, checked against their checksum."""

from __future__ import annotations

import hashlib
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.charts import (
    Archive,
    ChartError,
    ChartSource,
    charts_of,
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))


def make_chart(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "Chart.yaml").write_text(f"name: {name}\nversion: 1.29.1\n")
    (folder / "values.yaml").write_text("{}")
    return folder


def packed(folder: Path, path: Path) -> str:
    """An archive of the folder; its checksum."""
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, folder.name)
    return checksum(path)


def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def found(source: ChartSource, chart: str = "istiod") -> Path:
    with charts_of(source, "1.29.1", "helm") as charts:
        return charts.path(chart)


def refused(source: ChartSource, chart: str = "istiod") -> str:
    with pytest.raises(ChartError) as refusal:
        found(source, chart)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("chart", "location"),
    [
        ("base", "base"),
        ("istiod", "istiod"),
        ("istiod", "istio-control/istio-discovery"),
        ("cni", "istio-cni"),
        ("gateway", "gateway"),
    ],
)
def test_a_chart_is_found_in_every_layout(tmp_path: Path, chart: str, location: str) -> None:
    folder = make_chart(tmp_path / location, chart)
    assert found(ChartSource(directory=str(tmp_path)), chart) == folder


def test_a_directory_may_start_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = make_chart(tmp_path / "charts" / "istiod", "istiod")
    assert found(ChartSource(directory="~/charts")) == folder


def test_a_directory_that_does_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "nowhere"
    assert f"The directory of charts {path} does not exist. Check 'charts.directory'" in refused(
        ChartSource(directory=str(path))
    )


def test_a_directory_without_the_chart_says_where_it_was_looked_for(tmp_path: Path) -> None:
    message = refused(ChartSource(directory=str(tmp_path)))
    assert f"The directory {tmp_path} has no chart 'istiod'" in message
    assert "no folder istiod or istio-control/istio-discovery in it" in message


@pytest.mark.parametrize("content", [None, b"- a list", b"version: 1", b"a: [", b"\xff\xfe", b"text"])
def test_a_folder_that_is_not_a_chart(tmp_path: Path, content: bytes | None) -> None:
    folder = tmp_path / "istiod"
    folder.mkdir()
    if content is not None:
        (folder / "Chart.yaml").write_bytes(content)
    assert f"{folder} is not a Helm chart: it has no valid Chart.yaml" in refused(ChartSource(directory=str(tmp_path)))


def test_a_chart_of_another_name(tmp_path: Path) -> None:
    folder = make_chart(tmp_path / "istiod", "prometheus")
    assert f"{folder} is not the chart 'istiod': its Chart.yaml names it 'prometheus'" in refused(
        ChartSource(directory=str(tmp_path))
    )


@pytest.mark.parametrize(
    ("stated", "taken"),
    [("1.29.1", True), ("1.29.1-distro.2", True), ("v1.29.1", True), ("1.0.0", True), ("1.28.3", False), ("2", False)],
)
def test_a_chart_of_another_version_is_refused(tmp_path: Path, stated: str, taken: bool) -> None:
    folder = make_chart(tmp_path / "istiod", "istiod")
    (folder / "Chart.yaml").write_text(f"name: istiod\nversion: 1.0.0\nappVersion: '{stated}'\n")
    source = ChartSource(directory=str(tmp_path))
    if taken:
        assert found(source) == folder
    else:
        message = refused(source)
        assert f"istiod is not the chart of Istio 1.29.1: its Chart.yaml says that it is of {stated}" in message


@pytest.mark.parametrize("change", [str.lower, str.upper])
def test_an_archive_with_the_right_checksum_is_unpacked(tmp_path: Path, change: type[str]) -> None:
    path = tmp_path / "istiod.tgz"
    sha256 = packed(make_chart(tmp_path / "istiod", "istiod"), path)
    archive = Archive("istiod", str(path), change(sha256))
    with charts_of(ChartSource(archives=(archive,)), "1.29.1", "helm") as charts:
        chart = charts.path("istiod")
        assert (chart / "Chart.yaml").read_text().startswith("name: istiod")
        assert charts.path("istiod") == chart
    assert not chart.exists()


def test_an_archive_with_another_checksum_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "istiod.tgz"
    sha256 = packed(make_chart(tmp_path / "istiod", "istiod"), path)
    message = refused(ChartSource(archives=(Archive("istiod", str(path), "0" * 64),)))
    assert f"The chart archive {path} is not the one that was meant: its SHA-256 is {sha256}, not {'0' * 64}" in message


def test_an_archive_that_is_not_given_or_not_there(tmp_path: Path) -> None:
    archive = Archive("base", str(tmp_path / "nowhere.tgz"), "0" * 64)
    assert "No archive of the chart 'istiod' is given" in refused(ChartSource(archives=(archive,)))
    assert "cannot be read: No such file or directory" in refused(ChartSource(archives=(archive,)), "base")


def truncated(folder: Path, path: Path) -> None:
    (folder / "noise").write_bytes(bytes(hashlib.shake_256(b"noise").digest(50_000)))
    packed(folder, path)
    path.write_bytes(path.read_bytes()[:20_000])


def test_an_archive_that_ends_too_early_is_said(tmp_path: Path) -> None:
    path = tmp_path / "istiod.tgz"
    truncated(make_chart(tmp_path / "istiod", "istiod"), path)
    message = refused(ChartSource(archives=(Archive("istiod", str(path), checksum(path)),)))
    assert f"The archive {path} cannot be unpacked" in message


def test_an_archive_that_is_none_is_said(tmp_path: Path) -> None:
    path = tmp_path / "istiod.tgz"
    path.write_text("<html>404</html>")
    message = refused(ChartSource(archives=(Archive("istiod", str(path), checksum(path)),)))
    assert f"The archive {path} cannot be unpacked" in message


def test_an_archive_must_hold_one_folder(tmp_path: Path) -> None:
    path = tmp_path / "empty.tgz"
    tarfile.open(path, "w:gz").close()
    message = refused(ChartSource(archives=(Archive("istiod", str(path), checksum(path)),)))
    assert f"{path} is not a packed Helm chart: it holds 0 folders instead of one" in message


def test_an_archive_cannot_write_outside_its_place(tmp_path: Path) -> None:
    path, outside = tmp_path / "evil.tgz", tmp_path / "outside"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo(str(outside)))
        archive.addfile(tarfile.TarInfo("../../outside"))
    assert "cannot be unpacked" in refused(ChartSource(archives=(Archive("istiod", str(path), checksum(path)),)))
    assert not outside.exists()


def helm(tmp_path: Path, script: str) -> str:
    """A program in the place of helm: what is tested is how any program's end is told."""
    program = tmp_path / "helm"
    program.write_text(f"#!/bin/sh\nif [ $1 = version ]; then echo v3.22.0; exit; fi\n{script}\n")
    program.chmod(0o755)
    return str(program)


def test_a_repository_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    program = helm(tmp_path, "echo 'Error: 404' >&2; exit 1")
    source = ChartSource(repository="https://charts.example.com")
    with charts_of(source, "1.29.1", program) as charts, pytest.raises(ChartError) as refusal:
        charts.path("base")
    assert "The chart 'base' 1.29.1 cannot be had from https://charts.example.com: Error: 404" in str(refusal.value)
    assert "work offline" in refusal.value.hint


@pytest.mark.parametrize(
    ("api_version", "kind", "given", "namespace"),
    [
        ("apps/v1", "Deployment", None, "istio-system"),
        ("apps/v1", "Deployment", "web", "web"),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", None, None),
    ],
)
def test_what_a_chart_renders_is_in_the_releases_namespace_unless_it_says_another(
    tmp_path: Path, api_version: str, kind: str, given: str | None, namespace: str | None
) -> None:
    metadata = {"name": "a", **({"namespace": given} if given else {})}
    document = json.dumps({"apiVersion": api_version, "kind": kind, "metadata": metadata})
    program = helm(tmp_path, f"printf '%s' '{document}'")
    source = ChartSource(directory=str(make_chart(tmp_path / "charts" / "base", "base").parent))
    with charts_of(source, "1.29.1", program) as charts:
        (rendered,) = charts.render("base", "base", "istio-system", {}, "v1.34.4")
    assert rendered["metadata"].get("namespace") == namespace


RENDER = "base", "base", "istio-system"


@pytest.fixture
def counting(tmp_path: Path) -> str:
    """A program that renders an object named by how often it was asked."""
    count = tmp_path / "count"
    count.write_text("")
    script = f'echo "$@" >> {count}; echo "apiVersion: v1"; echo "kind: Namespace"'
    return helm(tmp_path, f"{script}; echo \"metadata: {{name: n$(wc -l < {count} | tr -d ' ')}}\"")


def rendered(program: str, source: ChartSource, kubernetes: str = "v1.34.4", **values: int) -> str:
    with charts_of(source, "1.29.1", program) as charts:
        (only,) = charts.render(*RENDER, values, kubernetes)
    return str(only["metadata"]["name"])


def test_a_chart_is_rendered_once_for_what_its_rendering_depends_on(tmp_path: Path, counting: str) -> None:
    folder = make_chart(tmp_path / "charts" / "base", "base")
    (folder / "values.yaml").write_text("a: 1\n")
    source = ChartSource(directory=str(folder.parent))
    assert [rendered(counting, source), rendered(counting, source)] == ["n1", "n1"]
    assert [rendered(counting, source, a=2), rendered(counting, source, a=2)] == ["n2", "n2"]
    assert [rendered(counting, source, "v1.35.0"), rendered(counting, source)] == ["n3", "n1"]
    (folder / "templates").mkdir()
    (folder / "templates" / "new.yaml").write_text("{}")
    assert rendered(counting, source) == "n4"
    assert rendered(counting, replace(source, use_cache=False)) == "n5"
    assert rendered(counting, replace(source, cache=tmp_path / "elsewhere")) == "n6"


def test_what_is_kept_and_damaged_is_rendered_anew(tmp_path: Path, counting: str) -> None:
    folder = make_chart(tmp_path / "charts" / "base", "base")
    source = ChartSource(directory=str(folder.parent), cache=tmp_path / "cache")
    assert rendered(counting, source) == "n1"
    (kept,) = (tmp_path / "cache").iterdir()
    for content in (b"", b"{", b"{}", b"\xff"):
        kept.write_bytes(content)
        assert rendered(counting, source) != "n1"


def test_a_cache_that_is_open_to_others_is_not_used_and_said(tmp_path: Path, counting: str) -> None:
    folder = make_chart(tmp_path / "charts" / "base", "base")
    (tmp_path / "open").mkdir(mode=0o755)
    source = ChartSource(directory=str(folder.parent), cache=tmp_path / "open")
    assert [rendered(counting, source), rendered(counting, source)] == ["n1", "n2"]
    with charts_of(source, "1.29.1", counting) as charts:
        (warning,) = charts.warnings
    assert warning.endswith(f"chmod 700 {tmp_path / 'open'}")
    assert list((tmp_path / "open").iterdir()) == []


@pytest.mark.parametrize(
    ("repository", "asked"),
    [
        ("https://charts.example.com", "pull base --repo https://charts.example.com --version 1.29.1 --destination"),
        ("oci://registry.example.com/charts/", "pull oci://registry.example.com/charts/base --version 1.29.1"),
    ],
)
def test_a_published_chart_is_pulled_once(tmp_path: Path, repository: str, asked: str) -> None:
    packed(make_chart(tmp_path / "published" / "base", "base"), tmp_path / "base-1.29.1.tgz")
    log = tmp_path / "log"
    program = helm(tmp_path, f'echo "$@" >> {log}; for last; do :; done; cp {tmp_path}/base-1.29.1.tgz "$last"')
    for _again in range(2):
        with charts_of(ChartSource(repository=repository), "1.29.1", program) as charts:
            assert (charts.path("base") / "Chart.yaml").is_file()
    (line,) = log.read_text().splitlines()
    assert line.startswith(asked)
