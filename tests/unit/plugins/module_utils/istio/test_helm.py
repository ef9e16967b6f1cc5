"""The helm program: what is tested is how any program in its place is judged and its end is told."""

from pathlib import Path

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.helm import Helm, HelmError


def helm(folder: Path, script: str, version: str = "v3.22.0+gabc") -> Helm:
    """A program in the place of helm."""
    program = folder / "helm"
    program.write_text(f"#!/bin/sh\nif [ $1 = version ]; then echo '{version}'; exit; fi\n{script}\n")
    program.chmod(0o755)
    return Helm(str(program), folder)


def test_a_missing_helm_is_said_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HelmError, match=r"The program 'helm' is not found\. Install helm 3\.8 or newer"):
        Helm("helm", tmp_path).run(["template"])


@pytest.mark.parametrize("version", ["v3.7.2+g663a896", "v2.17.0", "Client: v2.16", "", "no helm at all"])
def test_a_helm_that_is_too_old_is_refused_with_what_it_says(tmp_path: Path, version: str) -> None:
    with pytest.raises(HelmError) as refused:
        helm(tmp_path, "exit 0", version).run(["template"])
    assert f"is too old or is not helm: it calls its version '{version}', and 3.8 or newer" in str(refused.value)
    assert "'helm_binary'" in refused.value.hint


@pytest.mark.parametrize("version", ["v3.8.0", "v3.22.0+g144a1f6", "4.1.4", "v3.22"])
def test_a_helm_that_is_new_enough_runs(tmp_path: Path, version: str) -> None:
    assert helm(tmp_path, "echo ran", version).run(["template"]) == "ran\n"


def test_what_helm_says_last_is_the_reason(tmp_path: Path) -> None:
    program = helm(tmp_path, "echo 'WARNING: noise' >&2; echo 'Error: no such value' >&2; exit 1")
    with pytest.raises(HelmError, match=r"^helm template failed: Error: no such value\. Correct the values"):
        program.run(["template"])


def test_values_go_in_by_standard_input_and_caches_stay_in_the_scratch_folder(tmp_path: Path) -> None:
    program = helm(tmp_path, 'cat; echo; echo "$@"; echo "$HELM_CACHE_HOME"')
    answer = program.run(["template", "a"], "secret: value")
    assert answer.splitlines() == ["secret: value", "template a", str(tmp_path / "helm-cache")]


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({"HOME": "/home/a"}, "/home/a/.config/helm/registry/config.json"),
        ({"XDG_CONFIG_HOME": "/etc/xdg"}, "/etc/xdg/helm/registry/config.json"),
        ({"HELM_CONFIG_HOME": "/helm"}, "/helm/registry/config.json"),
        ({"HELM_REGISTRY_CONFIG": "/login.json"}, "/login.json"),
    ],
)
def test_the_logins_are_those_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], place: str
) -> None:
    for name in ("XDG_CONFIG_HOME", "HELM_CONFIG_HOME", "HELM_REGISTRY_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert helm(tmp_path, 'echo "$HELM_REGISTRY_CONFIG"').run(["pull"]).strip() == place
