"""Names of revisions."""

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.revisions import (
    InvalidRevision,
    checked_revision,
    named,
    shown,
)


@pytest.mark.parametrize("revision", ["1-29-1", "canary", "a", "0", "a" * 56])
def test_a_label_is_a_revision(revision: str) -> None:
    assert checked_revision(revision) == revision


@pytest.mark.parametrize("revision", [None, ""])
def test_no_name_is_the_default_revision(revision: str | None) -> None:
    assert checked_revision(revision) == ""


@pytest.mark.parametrize("revision", ["1.29.1", "Canary", "-a", "a-", "a_b", "a" * 57, "a b", "a\n", "default"])
def test_what_cannot_be_part_of_a_service_name_is_refused(revision: str) -> None:
    with pytest.raises(InvalidRevision, match="cannot be the name of a revision"):
        checked_revision(revision)


def test_objects_bear_the_revision_as_the_charts_name_them() -> None:
    assert (named("istiod", ""), named("istiod", "r1")) == ("istiod", "istiod-r1")
    assert (shown(""), shown("r1")) == ("default", "r1")
