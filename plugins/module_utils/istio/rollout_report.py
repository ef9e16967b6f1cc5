# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people are told of a rollout that has stopped, and of what it leaves alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..kube.errors import Failure
from .rollout_plan import Item, RolloutPlan
from .rollout_window import Window

_SHOWN = 10
_AGAIN = "Correct it, then run the task again: it goes on from here"


class Stopped(Failure):
    """A rollout that did not go on; it says what was done and what was not begun."""

    code = "rollout_stopped"

    @classmethod
    def of(
        cls,
        where: str,
        title: str,
        plan: RolloutPlan,
        why: tuple[Failure | None, Sequence[Item]],
        not_undone: Sequence[str],
    ) -> Stopped:
        cause, failed = why
        reasons = [str(cause).rstrip(".")] if cause else [item.error.rstrip(".") for item in failed[:_SHOWN]]
        subject = cause.subject if cause else str(failed[0].place)
        done = [_state(plan, "restarted", "Restarted"), _state(plan, "undone", "Undone")]
        kept = [f"Could not be undone: {'; '.join(not_undone)}"] if not_undone else []
        account = [*filter(None, done), *kept, *filter(None, [_state(plan, "waiting", "Not begun")])]
        return cls(
            f"The rollout on {where} stopped in {title}",
            subject=subject,
            reason=f"{'; '.join(reasons)}. {'. '.join(account)}",
            hint=_AGAIN,
        )


def _state(plan: RolloutPlan, state: str, word: str) -> str:
    """`Restarted: Deployment web/shop and 3 more`."""
    found = [str(item.place) for item in plan.items if item.state == state]
    return f"{word}: {_named(found)}" if found else ""


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def told_warnings(plan: RolloutPlan, window: Window | None, state: str) -> list[str]:
    """What is not restarted, each with the reason; what failed within the budget; and that the time is over."""
    return [
        *_first(str(one) for one in plan.left if one.how != "no_wave"),
        *_first(f"{item.place} failed within the budget: {item.error}" for item in plan.items if item.error),
        *(
            [f"The window ({window}) is closed: run the task again when it is open"]
            if state == "outside_window"
            else []
        ),
    ]


def _first(lines: Iterable[str]) -> list[str]:
    found = list(lines)
    more = len(found) - _SHOWN
    return [*found[:_SHOWN], *([f"{more} more are not restarted: see 'rollout.left'"] if more > 0 else [])]
