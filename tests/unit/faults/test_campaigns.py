"""The campaigns' runner and the judge of their time."""

from __future__ import annotations

import pytest
from campaigns.faults import asked_to_wait
from campaigns.run import main, names, parameters
from faults import FAULTS, Asked, Entry


def campaign(seeds: int = 200, percent: int = 10) -> list[str]:
    """What is given, in place of what was wrong."""
    return [str(seeds), str(percent)]


def test_parameters_are_the_functions() -> None:
    assert parameters(campaign, ["seeds=3"]) == {"seeds": 3}


@pytest.mark.parametrize("argument", ["seed=3", "seeds", "seeds=many"])
def test_unknown_parameters_are_refused_with_what_there_is(argument: str) -> None:
    with pytest.raises(ValueError, match="seeds=200 percent=10"):
        parameters(campaign, [argument])


def test_campaigns_are_named_when_none_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert "faults" in names()
    assert "run" not in names()
    assert main(["nonsense"]) == 2
    assert "faults" in capsys.readouterr().err


def test_waits_that_overlap_count_once() -> None:
    asked = Asked("get", "/api/v1/pods")
    at = (("503_retry_after", 10.0), ("429_retry_after", 10.5), ("late", 20.0), ("500", 30.0))
    log = [Entry(asked, FAULTS[name], at=moment) for name, moment in at] + [Entry(asked, None)]
    assert asked_to_wait(log) == pytest.approx(1.6)
