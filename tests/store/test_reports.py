"""What runs told: fenced like endings, kept as long as the run, read in pages."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from tickwright.model.report import LogLine, Report
from tickwright.model.run import Claimed, Items, Progress
from tickwright.model.schedule import Cursor
from tickwright.store.base import Store
from tickwright.store.queries import LogQuery
from tickwright.store.schema import Tables

from .conftest import Another
from .support import (
    ACME,
    DAY,
    LEASE,
    NOW,
    SECOND,
    application,
    begun,
    lost,
    online,
    queue_up,
    retried,
    run_of,
    runs_of,
    succeeded,
    together,
    told,
)

HALF = Progress(5, 10, "half", NOW)
EVERYTHING = LogQuery(limit=1000)


async def claim(store: Store, now: object = NOW) -> Claimed:
    await queue_up(store, cursor=Cursor())
    [run] = await store.queue.claim(await online(store), NOW)
    return begun(run)


async def texts(store: Store, run: Claimed, query: LogQuery = EVERYTHING) -> list[str]:
    return [line.text for line in (await store.reports.lines(ACME, run.id, query)).lines]


async def again(store: Store, run: Claimed) -> Claimed:
    """Its next claim, by another worker."""
    later = NOW + LEASE + SECOND
    await store.queue.lift(later)
    [newer] = await store.queue.claim(await online(store, lease_until=later + LEASE), later)
    assert newer.id == run.id
    return begun(newer)


async def test_a_running_run_shows_what_it_told(store: Store) -> None:
    run = await claim(store)
    assert (await run_of(store, run)).progress is None
    report = told(run, "one", "two", progress=HALF, items=Items(5, 4, 1))
    assert await store.reporting.save([report]) == [report]
    seen = await run_of(store, run)
    assert (seen.progress, seen.items) == (HALF, Items(5, 4, 1))
    assert (await store.reports.lines(ACME, run.id, EVERYTHING)).lines == list(report.lines)
    [listed] = await runs_of(store)
    assert listed.progress is None


async def test_later_words_replace_earlier_ones_and_lines_are_added(store: Store) -> None:
    run = await claim(store)
    first = told(run, "one", progress=HALF)
    await store.reporting.save([first])
    done = Progress(10.5, None, None, NOW + SECOND)
    both = told(run, "one", "two", progress=done)
    await store.reporting.save([both])
    await store.reporting.save([both])
    assert (await run_of(store, run)).progress == done
    assert await texts(store, run) == ["one", "two"]


async def test_items_of_an_ended_run_are_those_of_its_ending(store: Store) -> None:
    run = await claim(store)
    await store.reporting.save([told(run, items=Items(9, 9, 0), progress=HALF)])
    await store.queue.finish([succeeded(run, items=Items(10, 9, 1))])
    seen = await run_of(store, run)
    assert (seen.items, seen.progress) == (Items(10, 9, 1), HALF)


async def test_what_has_ended_is_not_reported_any_more(store: Store) -> None:
    run = await claim(store)
    await store.queue.finish([succeeded(run)])
    assert await store.reporting.save([told(run, "late", progress=HALF)]) == []
    assert await texts(store, run) == []
    assert (await run_of(store, run)).progress is None


async def test_a_worker_that_lost_the_run_cannot_report_it(store: Store) -> None:
    run = await claim(store)
    await store.reporting.save([told(run, "mine", progress=HALF)])
    late = NOW + LEASE + SECOND
    await store.queue.rescue(late, 10, lambda orphan: lost(begun(orphan), late))
    newer = await again(store, run)
    assert (newer.attempt, newer.lease_token) == (2, 2)
    assert (await run_of(store, run)).progress is None
    fresh = Progress(1, 10, "anew", NOW)
    await store.reporting.save([told(newer, "theirs", progress=fresh)])
    stale = told(run, "stale", "stale too", progress=HALF)
    assert await store.reporting.save([stale]) == []
    assert (await run_of(store, run)).progress == fresh
    assert await texts(store, run) == ["mine", "theirs"]
    wrong_attempt = replace(stale, lease_token=newer.lease_token)
    assert await store.reporting.save([wrong_attempt]) == []


async def test_of_several_runs_each_is_judged_by_itself(store: Store) -> None:
    await queue_up(store, 3, cursor=Cursor())
    one, two, three = await store.queue.claim(await online(store), NOW)
    await store.queue.finish([succeeded(begun(two))])
    reports = [told(run, "line") for run in (three, two, one)]
    assert await store.reporting.save(reports) == [reports[0], reports[2]]
    assert await store.reporting.save([]) == []


async def test_a_report_that_was_checked_before_its_run_was_lost_overwrites_nothing(
    store: Store, database_url: str
) -> None:
    """The row itself refuses what an earlier lease says."""
    run = await claim(store)
    newer = replace(run, lease_token=run.lease_token + 1)
    tables = Tables("postgresql" if "postgresql" in database_url else "sqlite")
    async with application(database_url) as theirs, theirs.begin():
        await theirs.execute(
            sa.insert(tables.reports).values(
                run_id=run.id, attempt=1, lease_token=newer.lease_token, done=7, lines_dropped=0
            )
        )
    await store.reporting.save([told(run, progress=HALF)])
    async with application(database_url) as theirs:
        row = (await theirs.execute(sa.select(tables.reports))).one()
    assert (row.lease_token, row.done) == (newer.lease_token, 7)


async def test_lines_that_are_to_go_are_deleted_of_this_attempt_only(store: Store) -> None:
    run = await claim(store)
    await store.reporting.save([told(run, "first try")])
    await store.queue.finish([retried(run, delay=SECOND)])
    newer = await again(store, run)
    report = told(newer, "a", "b", "c")
    await store.reporting.save([report])
    last = report.lines[-1].seq
    await store.reporting.save([told(newer, dropped=2, keep_from=last)])
    page = await store.reports.lines(ACME, run.id, EVERYTHING)
    assert [line.text for line in page.lines] == ["first try", "c"]
    assert page.dropped == 2


async def test_a_log_is_read_in_pages_from_either_end(store: Store) -> None:
    run = await claim(store)
    report = told(run, *"abcde")
    await store.reporting.save([report])
    seqs = [line.seq for line in report.lines]
    assert await texts(store, run, LogQuery(limit=2)) == ["a", "b"]
    assert await texts(store, run, LogQuery(after=seqs[1], limit=2)) == ["c", "d"]
    assert await texts(store, run, LogQuery(after=seqs[-1])) == []
    assert await texts(store, run, LogQuery(limit=2, newest=True)) == ["d", "e"]
    assert await texts(store, run, LogQuery(attempt=1, limit=1)) == ["a"]
    assert await texts(store, run, LogQuery(attempt=2)) == []


async def test_pruning_takes_what_was_told_with_its_run(store: Store, database_url: str) -> None:
    await queue_up(store, 2, cursor=Cursor())
    gone, kept = await store.queue.claim(await online(store), NOW)
    await store.reporting.save([told(run, "line", progress=HALF) for run in (gone, kept)])
    await store.queue.finish([succeeded(begun(gone))])
    pruned = await store.upkeep.prune_old(NOW + 2 * DAY, DAY, 10, None)
    assert pruned.runs == 1
    assert await texts(store, kept) == ["line"]
    tables = Tables("postgresql" if "postgresql" in database_url else "sqlite")
    async with application(database_url) as theirs:
        for table in (tables.reports, tables.logs):
            assert list((await theirs.execute(sa.select(table.c.run_id))).scalars()) == [kept.id]


async def test_two_workers_that_report_at_once_get_through(store: Store, another: Another) -> None:
    await queue_up(store, 20, cursor=Cursor())
    runs = await store.queue.claim(await online(store, slots=20), NOW)
    second = another()

    def reports(order: list[Claimed]) -> list[Report]:
        return [told(run, "line", progress=HALF) for run in order]

    for _ in range(5):
        await together(
            store.reporting.save(reports(runs)), second.reporting.save(reports(runs[::-1]))
        )
    assert [await texts(store, run) for run in runs] == [["line"]] * 20


async def test_texts_of_any_kind_come_back_as_they_were(store: Store) -> None:
    run = await claim(store)
    text = "ä\u2028\U0001f600\n\t\x01'; DROP TABLE runs; --"
    [plain] = told(run, text).lines
    report = replace(told(run), lines=(replace(plain, logger="ä.b"),), progress=HALF)
    await store.reporting.save([report])
    [line] = (await store.reports.lines(ACME, run.id, EVERYTHING)).lines
    assert line == LogLine(plain.seq, 1, NOW, plain.level, text, "ä.b")
