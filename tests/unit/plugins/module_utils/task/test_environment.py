"""The environment names a cluster where a task does not, and never mixes into one that a task names."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import ConnectionOptionsError
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.kubeconfig import ConnectionOptions
from ansible_collections.service_mesh.istio.plugins.module_utils.task.environment import (
    connection_options,
    remote_options,
)

# As AWX's credential "OpenShift or Kubernetes API Bearer Token" sets them, and the rest of kubernetes.core's.
VARIABLES: list[tuple[str, str, str, Any]] = [
    ("K8S_AUTH_HOST", "host", "https://a", "https://a"),
    ("K8S_AUTH_API_KEY", "api_key", "token\n", "token"),
    ("K8S_AUTH_KUBECONFIG", "kubeconfig", "/config", "/config"),
    ("KUBECONFIG", "kubeconfig", "/a:/b", "/a:/b"),
    ("K8S_AUTH_CONTEXT", "context", "east", "east"),
    ("K8S_AUTH_USERNAME", "username", "ann", "ann"),
    ("K8S_AUTH_PASSWORD", "password", " pass ", " pass "),
    ("K8S_AUTH_CERT_FILE", "client_cert", "/crt", "/crt"),
    ("K8S_AUTH_KEY_FILE", "client_key", "/key", "/key"),
    ("K8S_AUTH_SSL_CA_CERT", "ca_cert", "/ca", "/ca"),
    ("K8S_AUTH_VERIFY_SSL", "validate_certs", "False", False),
    ("K8S_AUTH_VERIFY_SSL", "validate_certs", "yes", True),
    ("K8S_AUTH_PROXY", "proxy", "http://p", "http://p"),
    ("K8S_AUTH_NO_PROXY", "no_proxy", "a,b", "a,b"),
    ("K8S_AUTH_PERSIST_CONFIG", "persist_config", "1", True),
    ("K8S_AUTH_IMPERSONATE_USER", "impersonate_user", "bob", "bob"),
    ("K8S_AUTH_IMPERSONATE_GROUPS", "impersonate_groups", "a, b,", ["a", "b"]),
]


@pytest.mark.parametrize(("variable", "option", "text", "value"), VARIABLES)
def test_each_variable_is_an_option(
    monkeypatch: pytest.MonkeyPatch, variable: str, option: str, text: str, value: Any
) -> None:
    monkeypatch.setenv(variable, text)
    assert connection_options({}) == ConnectionOptions(**{option: value})


@pytest.mark.parametrize("variable", sorted({variable for variable, *_ in VARIABLES}))
def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "")
    assert connection_options({}) == ConnectionOptions()


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K8S_AUTH_SSL_CA_CERT", "~/ca.crt")
    assert connection_options({}).ca_cert == str(Path.home() / "ca.crt")


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("inf"), float("nan")])
def test_a_request_needs_some_time(seconds: float) -> None:
    with pytest.raises(ConnectionOptionsError, match=rf"^'request_timeout' cannot be {seconds:g}: it is the number"):
        connection_options({"request_timeout": seconds})
    with pytest.raises(ConnectionOptionsError, match=r"^'remote.request_timeout' cannot be"):
        remote_options({"remote": {"request_timeout": seconds}})
    assert connection_options({"request_timeout": 0.5}).request_timeout == 0.5


def test_our_own_variable_beats_kubectls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/kubectl")
    monkeypatch.setenv("K8S_AUTH_KUBECONFIG", "/ours")
    assert connection_options({}).kubeconfig == "/ours"


@pytest.mark.parametrize("variable", ["K8S_AUTH_VERIFY_SSL", "K8S_AUTH_PERSIST_CONFIG"])
def test_a_text_that_is_not_clearly_true_or_false_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "maybe")
    with pytest.raises(ConnectionOptionsError) as refusal:
        connection_options({})
    assert str(refusal.value) == (
        f"The environment variable {variable} cannot be used: 'maybe' is neither true nor false. "
        "Set it to True or False."
    )


def test_options_are_picked_from_a_tasks_parameters() -> None:
    params = {"host": "https://a", "api_key": "token\n", "validate_certs": False, "context": None, "name": "shop"}
    assert connection_options(params) == ConnectionOptions("https://a", "token", validate_certs=False)


def everything(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, _, text, _ in VARIABLES:
        monkeypatch.setenv(variable, text)


OF_NO_CLUSTER: dict[str, Any] = {
    "proxy": "http://p",
    "no_proxy": "a,b",
    "persist_config": True,
    "impersonate_user": "bob",
    "impersonate_groups": ["a", "b"],
}


@pytest.mark.parametrize("named", [{"host": "https://mine"}, {"kubeconfig": "/mine"}, {"kubeconfig": {"users": []}}])
def test_a_token_of_the_environment_never_goes_to_another_cluster(
    monkeypatch: pytest.MonkeyPatch, named: dict[str, Any]
) -> None:
    everything(monkeypatch)
    assert connection_options(named) == ConnectionOptions(**named, **OF_NO_CLUSTER)


def test_a_context_is_looked_for_in_the_kubeconfig_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    everything(monkeypatch)
    assert connection_options({"context": "mine"}) == ConnectionOptions(
        context="mine", kubeconfig="/config", **OF_NO_CLUSTER
    )


def test_an_option_beats_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    everything(monkeypatch)
    options = connection_options({"validate_certs": True, "proxy": "http://mine"})
    assert (options.host, options.validate_certs, options.proxy) == ("https://a", True, "http://mine")


def test_what_decides_how_safe_a_run_is_has_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """`use_current_context` and its like are said in the playbook, or not at all."""
    everything(monkeypatch)
    given = {option for _, option, _, _ in VARIABLES}
    left = {field.name for field in fields(ConnectionOptions)} - given
    assert left == {"proxy_headers", "use_current_context", "require_tls_verify", "request_timeout"}
    assert {name: getattr(connection_options({}), name) for name in left} == {
        name: getattr(ConnectionOptions(), name) for name in left
    }
