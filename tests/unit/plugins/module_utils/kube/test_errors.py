"""Errors: every answer of a server becomes the right class, and every message reads as a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube import errors
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import (
    ApiError,
    Bug,
    Conflict,
    DeniedByWebhook,
    Failure,
    Forbidden,
    Invalid,
    NotFound,
    ServerError,
    TimedOut,
    TooBusy,
    Unauthorized,
    UnknownKind,
    WebhookUnavailable,
    error_from_status,
)
from hypothesis import given
from hypothesis import strategies as st

STATUS = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
DENIED = 'admission webhook "validation.istio.io" denied the request: weight must be >= 0'
DOWN = 'Internal error occurred: failed calling webhook "validation.istio.io": connection refused'
NOT_CONVERTED = "failed to convert new object (web/a): .spec.ports: expected list, got &{80}"
NOT_IN_SCHEMA = "failed to create typed patch object (web/shop): .spec.hostz: field not declared in schema"


def of_status(code: int, message: str, **more: Any) -> ApiError:
    return error_from_status("apply", "VirtualService web/shop", "east", code, {**STATUS, "message": message, **more})


def subclasses(kind: type[Failure]) -> Iterator[type[Failure]]:
    for inner in kind.__subclasses__():
        yield inner
        yield from subclasses(inner)


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (400, "bad", Invalid),
        (401, "Unauthorized", Unauthorized),
        (403, "virtualservices is forbidden", Forbidden),
        (404, "not found", NotFound),
        (408, "timed out", TimedOut),
        (409, "Apply failed with 1 conflict", Conflict),
        (413, "too large", Invalid),
        (415, "media type", Invalid),
        (422, "spec.hosts: Required value", Invalid),
        (429, "too many requests", TooBusy),
        (500, "etcdserver: leader changed", ServerError),
        (500, NOT_IN_SCHEMA, Invalid),
        (500, NOT_CONVERTED, Invalid),
        (500, DOWN, WebhookUnavailable),
        (503, "shutting down", ServerError),
        (504, "timed out", TimedOut),
        (400, DENIED, DeniedByWebhook),
        (403, DENIED, DeniedByWebhook),
    ],
)
def test_every_answer_has_its_class(code: int, message: str, kind: type[ApiError]) -> None:
    error = of_status(code, message)
    assert type(error) is kind
    assert (error.status, error.subject, error.reason) == (code, "VirtualService web/shop", message)


def test_a_user_who_merely_quotes_a_webhook_is_not_one() -> None:
    assert type(of_status(422, f"spec.note: Invalid value: {DENIED}")) is Invalid


def test_a_404_that_is_no_status_means_that_the_kind_is_not_served() -> None:
    assert type(error_from_status("get", "x", "east", 404, {"message": "404 page not found"})) is UnknownKind


def test_an_answer_without_a_message_still_says_something() -> None:
    assert str(error_from_status("get", "Pod a/b", "east", 502, {})).startswith(
        "Could not get Pod a/b on east: HTTP 502. "
    )


def test_details_are_kept_for_whoever_explains_them() -> None:
    details = {"causes": [{"field": ".spec"}]}
    assert of_status(409, "conflict", details=details).details == details


def test_a_message_says_what_where_why_and_what_next() -> None:
    assert str(of_status(422, "spec.hosts: Required value.")) == (
        "Could not apply VirtualService web/shop on east: spec.hosts: Required value. Correct the named field."
    )


def test_the_failure_of_a_result_names_object_reason_and_hint() -> None:
    assert of_status(401, "Unauthorized").as_dict() == {
        "code": "unauthorized",
        "object": "VirtualService web/shop",
        "reason": "Unauthorized",
        "hint": Unauthorized.default_hint,
    }


def test_without_a_reason_what_happened_is_the_reason() -> None:
    assert Failure("It broke").as_dict()["reason"] == "It broke"


def test_a_hint_of_its_own_beats_that_of_the_class() -> None:
    assert str(Unauthorized("No", hint="Ask Ann")) == "No. Ask Ann."


def test_codes_are_words_and_no_two_errors_of_this_layer_share_one() -> None:
    own = [kind for kind in subclasses(Failure) if kind.__module__ == errors.__name__]
    codes = [kind.code for kind in own]
    assert sorted(set(codes)) == sorted(codes)
    assert [code for code in codes if not code.replace("_", "").isalpha() or not code.islower()] == []


def test_what_a_person_cannot_guess_has_a_hint() -> None:
    """NotFound and Conflict are explained where they are met; ApiError itself is never raised."""
    silent = {kind.__name__ for kind in subclasses(ApiError) if not kind.default_hint}
    assert silent <= {"NotFound", "Conflict"}


def test_secrets_are_taken_out_of_every_text_the_longest_first() -> None:
    error = Failure("Bad abcdef", reason="'abc' and abcdef", hint="Not abc, not a")
    error.hide(["abc", "abcdef", "a", ""])
    assert str(error) == "Bad (hidden): '(hidden)' and (hidden). Not (hidden), not a."


def test_a_bug_tells_its_place_and_nothing_that_it_was_given() -> None:
    try:
        int("hunter2")
    except ValueError as error:
        message = str(Bug.of(error))
    assert "hunter2" not in message
    assert "ValueError in " in message
    assert "test_errors.py" in message


TEXT = st.text(alphabet="abc .,:'", min_size=1).map(str.strip).filter(lambda text: text.strip(". "))


@given(what=TEXT, reason=TEXT | st.just(""), hint=TEXT | st.just(""))
def test_a_message_ends_with_one_full_stop(what: str, reason: str, hint: str) -> None:
    message = str(Failure(what, reason=reason, hint=hint))
    assert message.endswith(".")
    assert not message.endswith("..")
    assert all(part.rstrip(".") in message for part in (what, reason, hint))


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [
        (403, 'pods is forbidden: User "ann" cannot list resource "pods" in API group ""', "Grant the verb"),
        (403, 'pods is forbidden: User "system:anonymous" cannot list resource "pods"', "No credentials were sent"),
        (
            403,
            'configmaps "a" is forbidden: exceeded quota: q, requested: count/configmaps=1',
            "Raise the ResourceQuota",
        ),
        (403, 'namespaces "kube-system" is forbidden: this namespace may not be deleted', "Nobody may do that"),
        (422, "spec.hosts: Required value", "Correct the named field"),
        (422, ".data.a: expected string, got &value.valueUnstructured{Value:5}", "Correct the named field"),
        (400, "illegal base64 data at input byte 7", "Correct the object as it says"),
        (
            400,
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
            "Correct the object",
        ),
    ],
)
def test_what_to_do_next_is_said_by_the_message(code: int, message: str, hint: str) -> None:
    error = error_from_status("apply", "ConfigMap a", "east", code, {"kind": "Status", "message": message})
    assert error.hint.startswith(hint)


def test_who_speaks_http_with_tls_is_told_so() -> None:
    said = {"message": "Client sent an HTTP request to an HTTPS server."}
    error = error_from_status("get", "ConfigMap a", "east", 400, said)
    assert (error.code, error.hint) == ("no_tls", "Write https:// in the address of the cluster")


def test_a_place_is_named_once_whatever_the_message_holds() -> None:
    error = NotFound(
        "Could not apply Telemetry web/te", subject="Telemetry web/te", reason="telemetry.istio.io says no"
    )
    for _twice in range(2):
        error.stands_in("telemetry")
    assert error.what == "Could not apply Telemetry web/te (telemetry)"
    assert error.line == "Telemetry web/te (telemetry): telemetry.istio.io says no"
    error.stands_in("")
    assert error.place == "telemetry"
