"""The phases of a rotation, with real certificates: how far a cluster is, who lags behind, and the texts of bundles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.certificates import Certificate, certificates
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.presented import Shown
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.root_phases import (
    DROP,
    PHASES,
    SIGN,
    TRUST,
    Aim,
    lags_of,
    next_phase,
    touched,
    with_more,
    without_others,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.trust import Trust
from unit.support.certificates import Authority, root

NOW = datetime(2026, 11, 28, 8, 0, tzinfo=timezone.utc)
YEAR = timedelta(days=365)
OLD, NEW, THIRD = (root(name, NOW + 10 * YEAR) for name in ("old", "new", "third"))
# The same name and the same key: which of the two fingerprints is the smaller one is nobody's choice.
RENEWED = OLD.renewed(NOW + 20 * YEAR)
SIGNERS = {one: one.issues("intermediate", NOW + YEAR) for one in (OLD, NEW, RENEWED)}


def read(*authorities: Authority) -> frozenset[Certificate]:
    return frozenset(one for found in authorities for one in certificates(found.pem))


def proxy(above: Authority, *holds: Authority, signer: Authority | None = None) -> Shown:
    signer = signer or SIGNERS[above]
    leaf = signer.issues("leaf", NOW + timedelta(hours=24), ca=False)
    return Shown("Pod web/shop", read(*holds), tuple(certificates(leaf.pem + signer.pem)), uid="1")


def secret(above: Authority, *roots: Authority, signer: Authority | None = None) -> Trust:
    (first,) = certificates((signer or SIGNERS[above]).pem)
    return Trust("cacerts", tuple(one for found in roots for one in certificates(found.pem)), first)


AIM = Aim(read(NEW), read(NEW), NOW)
BOTH = (OLD, NEW)


@pytest.mark.parametrize(
    ("there", "shown", "upcoming"),
    [
        (secret(OLD, OLD), [proxy(OLD, OLD)], TRUST),
        (secret(OLD, *BOTH), [proxy(OLD, *BOTH), proxy(OLD, OLD)], TRUST),
        (secret(OLD, *BOTH), [proxy(OLD, *BOTH), Shown("ConfigMap web/roots", read(OLD))], TRUST),
        (secret(OLD, *BOTH), [proxy(OLD, *BOTH)], SIGN),
        (secret(NEW, *BOTH), [proxy(NEW, *BOTH), proxy(OLD, *BOTH)], SIGN),
        (secret(NEW, *BOTH), [proxy(NEW, *BOTH), Shown("ConfigMap web/roots", read(*BOTH))], DROP),
        (secret(NEW, NEW), [proxy(NEW, NEW), proxy(NEW, *BOTH)], DROP),
        (secret(NEW, NEW), [proxy(NEW, NEW), Shown("ConfigMap web/roots", read(NEW))], ""),
        (secret(NEW, NEW), [], ""),
        (Trust(), [proxy(OLD, *BOTH)], SIGN),
        (Trust(), [], ""),
    ],
)
def test_how_far_a_cluster_is(there: Trust, shown: Sequence[Shown], upcoming: str) -> None:
    assert next_phase(there, shown, AIM) == upcoming


@pytest.mark.parametrize("number", range(4), ids=lambda number: f"fingerprints {number}")
def test_a_root_that_is_renewed_with_its_key(number: int) -> None:
    """What the old one has signed, the new one has signed as well: whichever of them is met first."""
    renewed = OLD.renewed(NOW + (20 + number) * YEAR)
    aim, held = Aim(read(renewed), read(renewed), NOW), (OLD, renewed)
    assert next_phase(secret(OLD, OLD), [proxy(OLD, OLD)], aim) == TRUST
    assert next_phase(secret(OLD, *held), [proxy(OLD, *held)], aim) == DROP
    assert next_phase(secret(OLD, renewed), [proxy(OLD, renewed)], aim) == ""


def test_the_same_phases_lead_back() -> None:
    back = Aim(read(OLD), read(OLD), NOW)
    assert next_phase(secret(NEW, *BOTH), [proxy(NEW, *BOTH)], back) == SIGN
    assert next_phase(secret(OLD, *BOTH), [proxy(OLD, *BOTH)], back) == DROP


@pytest.mark.parametrize("pair", [(OLD, RENEWED), (RENEWED, OLD)], ids=["one order", "the other"])
@pytest.mark.parametrize("signs", [0, 1], ids=["before", "after"])
def test_a_root_that_is_renewed_with_its_key_has_signed_already(pair: tuple[Authority, Authority], signs: int) -> None:
    """Whichever of the two a signer is of, and whichever fingerprint is the smaller one."""
    former, renewed = pair
    aim, by = Aim(read(renewed), read(renewed), NOW), pair[signs]
    assert next_phase(secret(by, former), [proxy(by, former)], aim) == TRUST
    assert next_phase(secret(by, *pair), [proxy(by, *pair)], aim) == DROP
    assert next_phase(secret(by, renewed), [proxy(by, *pair)], aim) == DROP
    assert next_phase(secret(by, renewed), [proxy(by, renewed)], aim) == ""


@pytest.mark.parametrize("pair", [(OLD, RENEWED), (RENEWED, OLD)], ids=["one order", "the other"])
def test_but_not_what_names_the_former_by_its_number(pair: tuple[Authority, Authority]) -> None:
    former, renewed = pair
    named = former.issues("intermediate", NOW + YEAR, more=[former.pointer()])
    shown, aim = proxy(former, *pair, signer=named), Aim(read(renewed), read(renewed), NOW)
    assert next_phase(secret(former, *pair, signer=named), [shown], aim) == SIGN
    assert next_phase(secret(renewed, *pair), [shown, proxy(renewed, *pair)], aim) == SIGN
    assert next_phase(secret(renewed, *pair), [proxy(renewed, *pair)], aim) == DROP


@pytest.mark.parametrize(
    ("phase", "shown", "reason"),
    [
        (TRUST, proxy(OLD, OLD), "Pod web/shop: does not hold the new root yet"),
        (SIGN, proxy(OLD, *BOTH), "Pod web/shop: presents a certificate of the root 'CN=old' (sha256:"),
        (SIGN, proxy(OLD, NEW), "presents a certificate of no root that it holds, until 2026-11-29 08:00 UTC"),
        (DROP, proxy(NEW, *BOTH), "Pod web/shop: still holds the root 'CN=old'"),
    ],
)
def test_who_lags_behind_is_told_with_the_reason(phase: str, shown: Shown, reason: str) -> None:
    (lag,) = lags_of(phase, [shown], AIM)
    assert reason in str(lag)


@pytest.mark.parametrize("phase", PHASES)
def test_who_cannot_be_asked_lags_behind_in_every_phase(phase: str) -> None:
    silent = replace(proxy(NEW, NEW), trouble="it cannot be asked")
    assert [lag.reason for lag in lags_of(phase, [silent], AIM)] == ["it cannot be asked"]


def test_who_has_nothing_yet_waits_for_who_signs_next() -> None:
    """It is given what is handed out, or nothing at all while the signer has ended: neither holds `sign` back."""
    bare = Shown("Pod web/new", uid="2")
    assert next_phase(secret(OLD, *BOTH), [bare], AIM) == SIGN
    assert [str(lag) for lag in lags_of(SIGN, [bare], AIM)] == ["Pod web/new: has no certificate of the mesh yet"]
    nowhere = Shown("ConfigMap web/istio-ca-root-cert")
    assert next_phase(secret(OLD, *BOTH), [nowhere], AIM) == TRUST, "who hands out nothing lags behind"


def test_what_has_ended_signs_nothing() -> None:
    """An intermediate of the new root that ends before the rotation does is made anew by it."""
    short = NEW.issues("short", NOW + timedelta(days=1))
    later = replace(AIM, now=NOW + timedelta(days=2))
    assert next_phase(secret(NEW, *BOTH, signer=short), [], AIM) == DROP
    assert next_phase(secret(NEW, *BOTH, signer=short), [], later) == SIGN
    assert next_phase(secret(NEW, *BOTH), [proxy(NEW, *BOTH)], later) == SIGN, "its leaf has ended, too"


def test_the_root_that_signs_is_one_of_several() -> None:
    aim = Aim(read(NEW, THIRD), read(NEW), NOW)
    assert next_phase(secret(NEW, NEW, THIRD), [proxy(NEW, NEW, THIRD)], aim) == ""
    assert next_phase(secret(OLD, OLD, NEW, THIRD), [proxy(OLD, OLD, NEW, THIRD)], aim) == SIGN


@pytest.mark.parametrize("before", [OLD.pem, f"# the company's\n{OLD.pem}", OLD.pem.rstrip("\n"), OLD.pem + THIRD.pem])
def test_every_text_contains_the_former_or_is_contained_in_it(before: str) -> None:
    both = with_more(before, read(NEW))
    signed = touched(both)
    after = without_others(signed, list(read(NEW)))
    assert before in both
    assert both in signed
    assert both != signed
    assert after in signed
    assert after == NEW.pem


def test_going_back_leaves_a_piece_of_what_was_there() -> None:
    described = f"{OLD.pem}# and\n{THIRD.pem}"
    both = with_more(described, read(NEW))
    back = without_others(both, certificates(OLD.pem + THIRD.pem))
    assert back in both
    assert set(certificates(back)) == read(OLD, THIRD)


def test_what_lies_between_does_not_stay() -> None:
    left = without_others(OLD.pem + THIRD.pem + NEW.pem, certificates(OLD.pem + NEW.pem))
    assert set(certificates(left)) == read(OLD, NEW)
