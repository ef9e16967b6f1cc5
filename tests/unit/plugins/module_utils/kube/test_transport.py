"""What of a request is repeated: only what is safe, and never for as long as a server may wish."""

from __future__ import annotations

import ssl

import pytest
import urllib3
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.transport import _retries

REPEATED = {
    "GET": {429, 500, 502, 503, 504},
    "PATCH": {429, 502, 503, 504},
    "DELETE": {429, 502, 503, 504},
    "POST": {429, 503},
}


@pytest.mark.parametrize(("method", "statuses"), list(REPEATED.items()))
def test_only_answers_that_are_safe_to_repeat_are_repeated(method: str, statuses: set[int]) -> None:
    assert {status for status in range(200, 600) if _retries(method).is_retry(method, status)} == statuses


@pytest.mark.parametrize("method", REPEATED)
def test_only_what_is_idempotent_is_repeated_after_a_reset(method: str) -> None:
    """Nobody knows whether a POST that got no answer took effect."""
    assert bool(_retries(method).read) == (method != "POST")


@pytest.mark.parametrize(
    ("reason", "repeated"), [("DECODE_ERROR", True), ("UNEXPECTED_EOF_WHILE_READING", True), ("HTTP_REQUEST", False)]
)
def test_a_lost_tls_connection_is_as_a_reset_and_a_verdict_is_not(reason: str, *, repeated: bool) -> None:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    wrapped = urllib3.exceptions.SSLError(error)
    assert _retries("GET")._is_read_error(wrapped) is repeated
    assert not _retries("GET")._is_read_error(urllib3.exceptions.SSLError(ssl.SSLCertVerificationError(1, "expired")))


@pytest.mark.parametrize("method", REPEATED)
def test_no_redirect_is_followed(method: str) -> None:
    """The credentials are for this server."""
    assert _retries(method).redirect == 0


@pytest.mark.parametrize(("asked", "waited"), [("0", 0), ("2", 2), ("3600", 10)])
def test_a_server_may_ask_for_patience_but_not_for_an_hour(asked: str, waited: float) -> None:
    answer = urllib3.HTTPResponse(headers={"Retry-After": asked})
    assert _retries("GET").get_retry_after(answer) == waited
