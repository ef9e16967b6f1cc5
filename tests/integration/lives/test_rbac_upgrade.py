"""Three roles of the examples are enough for every phase of an upgrade, and what is missing is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from integration.engine.bound import Bound, Verb, bound, example
from integration.support.bed import Cluster
from integration.support.playbook import Played
from integration.support.upgrading import BACK, BY_REVISION, Phase, Upgrading, upgrading

ROLES = ("lifecycle", "removal", "rollout")
START, SHIFT, TAG, COMPLETE = BY_REVISION.phases
# Every phase, in an order that an upgrade can have, and a right that it cannot do without.
PHASES: tuple[tuple[Phase, Verb], ...] = (
    (START, ("patch", "configmaps")),
    (SHIFT, ("patch", "namespaces")),
    (BACK, ("update", "namespaces")),
    (START, ("create", "configmaps")),
    (SHIFT, ("patch", "deployments.apps")),
    (TAG, ("patch", "mutatingwebhookconfigurations.admissionregistration.k8s.io")),
    (COMPLETE, ("delete", "deployments.apps")),
)


@pytest.fixture(scope="module")
def life(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgrading]:
    with upgrading(cluster, tmp_path_factory.mktemp("upgrade"), BY_REVISION) as made:
        yield made


@pytest.fixture(scope="module")
def user(cluster: Cluster) -> Iterator[Bound]:
    with bound(cluster, "lifecycle") as made:
        made.role = {**made.role, "rules": [rule for name in ROLES for rule in example(name)["rules"]]}
        yield made


def play(life: Upgrading, user: Bound, phase: Phase) -> Played:
    return life.play(replace(phase, more={**phase.more, "mesh_impersonate_user": user.user}))


def test_every_phase_goes_through_or_names_what_is_missing(life: Upgrading, user: Bound) -> None:
    for phase, (verb, resource) in PHASES:
        user.grant((verb, resource))
        refused = play(life, user, phase)
        assert refused.rc != 0, f"{phase.playbook} needs no {verb} of {resource}"
        # The API server's words, or those of a precheck, which asks before anything is written.
        words = (f'cannot {verb} resource "{resource.partition(".")[0]}"', f"{resource}: the user may not {verb} them")
        assert any(told in refused.output for told in words), refused.output
        user.grant()
        done = play(life, user, phase)
        assert done.rc == 0, done.output
