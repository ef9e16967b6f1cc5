"""Charts: found in every layout, refused when they are something else, checked against their checksum."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.charts import (
    Archive,
    ChartError,
    ChartSource,
    HelmError,
    charts_of,
    run_helm,
)


def make_chart(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "Chart.yaml").write_text(f"name: {name}\nversion: 1.29.1\n")
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
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def test_a_missing_helm_is_said_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HelmError, match=r"The program 'helm' is not found\. Install helm 3\.8 or newer"):
        run_helm("helm", ["version"], tmp_path)


def test_what_helm_says_last_is_the_reason(tmp_path: Path) -> None:
    program = helm(tmp_path, "echo 'WARNING: noise' >&2; echo 'Error: no such value' >&2; exit 1")
    with pytest.raises(HelmError, match=r"^helm template failed: Error: no such value\. Correct the values"):
        run_helm(program, ["template"], tmp_path)


def test_values_go_in_by_standard_input_and_caches_stay_in_the_scratch_folder(tmp_path: Path) -> None:
    program = helm(tmp_path, 'cat; echo; echo "$@"; echo "$HELM_CACHE_HOME"')
    answer = run_helm(program, ["template", "a"], tmp_path, "secret: value")
    assert answer.splitlines() == ["secret: value", "template a", str(tmp_path / "helm-cache")]


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
        (rendered,) = charts.render("base", "base", "istio-system", {}, "v1.34.4", upgrade=False)
    assert rendered["metadata"].get("namespace") == namespace
