"""The trust of one cluster, and of several: what is read, what is wrong, who does not trust whom."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.trust import (
    Trust,
    disagreements,
    problems,
    trust_of,
)
from unit.support.certificates import Authority, cacerts, root, secret, usage

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=timezone.utc)
YEAR = timedelta(days=365)
ROOT = root("mesh root", NOW + 10 * YEAR)
EAST = ROOT.issues("east", NOW + YEAR)
OTHER = root("other root", NOW + 10 * YEAR)
FOREIGN = OTHER.issues("west", NOW + YEAR)


def narrowed(name: str, above: Authority | None = None) -> Authority:
    """One that may sign servers, and no other authority."""
    life = NOW + YEAR
    return above.issues(name, life, path_length=0) if above else root(name, life, path_length=0)


NARROW, BELOW = narrowed("narrow"), narrowed("below", ROOT)
LEAF = root("leaf", NOW + YEAR, more=[usage(key_cert_sign=False)])
NO_SIGNER = ROOT.issues("tls", NOW + YEAR, more=[usage(key_cert_sign=False)])


def told(*objects: dict[str, Any]) -> dict[str, Any]:
    return trust_of(objects).told(NOW)


def wrong(*objects: dict[str, Any]) -> str:
    return "; ".join(problems(trust_of(objects), NOW))


def tls(signer: Authority, above: Authority) -> dict[str, Any]:
    return secret("cacerts", {"tls.crt": signer.pem, "tls.key": signer.key, "ca.crt": above.pem})


@pytest.mark.parametrize("found", [cacerts(EAST, ROOT), tls(EAST, ROOT)], ids=["istio", "tls"])
def test_both_shapes_say_the_same(found: dict[str, Any]) -> None:
    trust = told(found)
    assert (trust["source"], trust["problems"]) == ("cacerts", [])
    assert trust["signer"]["subject"] == "CN=east"
    assert trust["anchor"] == trust["roots"][0]["fingerprint"]
    assert trust["first_end"] == (NOW + YEAR).isoformat()


def test_nothing_secret_is_told() -> None:
    assert "PRIVATE" not in repr(told(cacerts(EAST, ROOT)))


def test_a_root_of_istiods_own_is_its_own_signer() -> None:
    own = secret("istio-ca-secret", {"ca-cert.pem": ROOT.pem, "ca-key.pem": ROOT.key, "root-cert.pem": ""})
    trust = told(own)
    assert (trust["source"], trust["problems"], trust["signer"]) == ("istio-ca-secret", [], trust["roots"][0])


def test_what_is_plugged_in_counts_before_what_istiod_has_made() -> None:
    own = secret("istio-ca-secret", {"ca-cert.pem": OTHER.pem})
    assert told(own, cacerts(EAST, ROOT))["source"] == "cacerts"


def test_what_namespaces_are_given_is_told() -> None:
    given = {"kind": "ConfigMap", "metadata": {"name": "istio-ca-root-cert"}, "data": {"root-cert.pem": ROOT.pem}}
    trust = told(cacerts(EAST, ROOT), given)
    assert trust["distributed"] == [trust["anchor"]]


def test_a_cluster_without_any_has_no_problem_yet() -> None:
    assert trust_of([]) == Trust()
    assert told()["problems"] == []


def test_a_chain_in_between_leads_to_the_root() -> None:
    middle = ROOT.issues("middle", NOW + YEAR)
    signer = middle.issues("east", NOW + YEAR)
    assert wrong(cacerts(signer, ROOT, middle)) == ""
    assert "does not lead to the root" in wrong(cacerts(signer, ROOT))


def test_an_authority_that_may_have_none_below_it_may_sign_itself_and_for_proxies() -> None:
    assert wrong(cacerts(BELOW, ROOT)) == ""
    assert wrong(cacerts(NARROW, NARROW)) == ""
    wide = root("wide", NOW + YEAR, path_length=1)
    assert wrong(cacerts(wide.issues("east", NOW + YEAR, more=[usage(key_cert_sign=True)]), wide)) == ""


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (cacerts(FOREIGN, ROOT), "'CN=west'.*does not lead to the root.*'CN=mesh root'"),
        (cacerts(ROOT.issues("old", NOW - YEAR), ROOT), "'CN=old'.*has expired on 2025-11-25"),
        (
            cacerts(ROOT.issues("new", NOW + 2 * YEAR, NOW + YEAR), ROOT),
            "not valid before 2027-11-25.*compare the clocks",
        ),
        (cacerts(ROOT.issues("leaf", NOW + YEAR, ca=False), ROOT), "'CN=leaf'.*may not sign others"),
        (cacerts(NO_SIGNER, ROOT), "'CN=tls'.*may not sign others"),
        (cacerts(NO_SIGNER.issues("east", NOW + YEAR), ROOT, NO_SIGNER), "'CN=tls'.*may not sign others"),
        (cacerts(LEAF.issues("east", NOW + YEAR), LEAF), "'CN=leaf'.*may not sign others"),
        (cacerts(NARROW.issues("east", NOW + YEAR), NARROW), "'CN=narrow'.*allows fewer .*below it .pathlen:0. than"),
        (
            cacerts(BELOW.issues("east", NOW + YEAR), ROOT, BELOW),
            "'CN=below'.*allows fewer .*below it .pathlen:0. than",
        ),
        (secret("cacerts", {"ca-cert.pem": EAST.pem}), "root-cert.pem of Secret istio-system/cacerts is missing"),
        (secret("cacerts", {"ca-cert.pem": "x", "root-cert.pem": ROOT.pem}), "ca-cert.pem.*holds no certificate"),
    ],
)
def test_what_is_wrong_is_named(found: dict[str, Any], message: str) -> None:
    assert re.search(message, wrong(found))


def test_one_root_is_one_trust() -> None:
    west = ROOT.issues("west", NOW + YEAR)
    assert list(disagreements({"east": told(cacerts(EAST, ROOT)), "west": told(cacerts(west, ROOT))})) == []


def test_two_roots_are_named_with_their_clusters() -> None:
    (said,) = disagreements({"east": told(cacerts(EAST, ROOT)), "west": told(cacerts(FOREIGN, OTHER)), "new": told()})
    assert said.startswith("east and west do not trust each other: east has the root 'CN=mesh root' (sha256:")
    assert "west the root 'CN=other root' (sha256:" in said


def test_who_holds_both_roots_is_trusted_by_the_new_one_only_when_it_signs_with_it() -> None:
    """During a rotation one cluster may hold both roots: what counts is by which it is known."""
    both = cacerts(EAST, ROOT)
    both["data"]["root-cert.pem"] = secret("x", {"x": ROOT.pem + OTHER.pem})["data"]["x"]
    (said,) = disagreements({"east": told(both), "west": told(cacerts(FOREIGN, OTHER))})
    assert "east and west" in said
    old = cacerts(ROOT.issues("west", NOW + YEAR), ROOT)
    assert list(disagreements({"east": told(both), "west": told(old)})) == []


@pytest.mark.parametrize("only", [0, 1], ids=["before", "after"])
def test_while_a_root_is_renewed_with_its_key_all_trust_each_other(only: int) -> None:
    """One cluster holds both, the other only one of them, at the beginning of the rotation or at its end."""
    pair = (ROOT, ROOT.renewed(NOW + 20 * YEAR))
    both = cacerts(EAST, ROOT)
    both["data"]["root-cert.pem"] = secret("x", {"x": "".join(one.pem for one in pair)})["data"]["x"]
    west = told(cacerts(ROOT.issues("west", NOW + YEAR), pair[only]))
    assert told(both)["anchors"] == [root["fingerprint"] for root in told(both)["roots"]]
    assert list(disagreements({"east": told(both), "west": west})) == []
