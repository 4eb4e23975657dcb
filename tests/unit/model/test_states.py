"""The two state machines, transition by transition, as semantics 5.13 draws them."""

from __future__ import annotations

import pytest

from tickwright.model.errors import NotPossible
from tickwright.model.run import RunStatus
from tickwright.model.schedule import ScheduleStatus
from tickwright.model.states import (
    OPEN_RUNS,
    RUN_TRANSITIONS,
    SCHEDULE_TRANSITIONS,
    check_schedule_transition,
)

ALLOWED = {
    ("active", "paused"),
    ("active", "cancelled"),
    ("active", "completed"),
    ("active", "failed"),
    ("paused", "active"),
    ("paused", "cancelled"),
    ("paused", "completed"),
    ("paused", "failed"),
    ("completed", "active"),
    ("failed", "active"),
}
ENDS = {"succeeded", "failed", "dead", "cancelled", "skipped", "missed"}


@pytest.mark.parametrize("before", ScheduleStatus)
@pytest.mark.parametrize("after", ScheduleStatus)
def test_a_schedule_moves_only_where_the_diagram_has_an_arrow(
    before: ScheduleStatus, after: ScheduleStatus
) -> None:
    if before is after or (before.value, after.value) in ALLOWED:
        check_schedule_transition(before, after)
        return
    with pytest.raises(NotPossible, match=f"a {before} schedule cannot become {after}"):
        check_schedule_transition(before, after)


def test_cancelled_is_the_only_end_a_schedule_never_leaves() -> None:
    assert [s.value for s, after in SCHEDULE_TRANSITIONS.items() if not after] == ["cancelled"]


def test_every_run_status_is_in_the_table_and_its_ends_are_final() -> None:
    assert set(RUN_TRANSITIONS) == set(RunStatus)
    assert {s.value for s, after in RUN_TRANSITIONS.items() if not after} == ENDS
    assert {s.value for s in OPEN_RUNS} == {s.value for s in RunStatus} - ENDS


def test_a_running_run_can_be_tried_again_but_never_skipped() -> None:
    after_running = {status.value for status in RUN_TRANSITIONS[RunStatus.RUNNING]}
    assert after_running == {"queued", "succeeded", "failed", "dead", "cancelled"}
    after_queued = {status.value for status in RUN_TRANSITIONS[RunStatus.QUEUED]}
    assert after_queued == {"running", "cancelled", "skipped", "missed"}
