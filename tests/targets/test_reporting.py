"""What handlers tell: by their context and through logging, from wherever they run."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tickwright.model.errors import InvalidInput
from tickwright.model.report import MAX_LINE_BYTES, MAX_MESSAGE_BYTES, Level
from tickwright.model.run import Claimed, Succeeded
from tickwright.targets import capture
from tickwright.targets.context import RunContext

from .support import HANDLER, Serve, claimed

log = logging.getLogger("shop.reports")


@dataclass
class Ear:
    """A listener that keeps what it hears."""

    begun: bool = False
    beats: int = 0
    steps: list[tuple[float, float | None, str | None]] = field(default_factory=list)
    counts: list[tuple[int | None, int | None, int | None]] = field(default_factory=list)
    lines: list[tuple[Level, str, str | None]] = field(default_factory=list)

    def begin(self) -> None:
        self.begun = True

    def heartbeat(self) -> None:
        self.beats += 1

    def progress(self, done: float, total: float | None, message: str | None) -> None:
        self.steps.append((done, total, message))

    def items(self, processed: int | None, succeeded: int | None, failed: int | None) -> None:
        self.counts.append((processed, succeeded, failed))

    def log(self, level: Level, text: str, logger: str | None = None) -> None:
        self.lines.append((level, text, logger))


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def run(ear: Ear) -> Claimed:
    return claimed(HANDLER, report=ear)


@pytest.fixture(autouse=True)
def _everything_is_logged() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    level = log.level
    log.setLevel(logging.DEBUG)
    yield
    log.setLevel(level)
    logging.setLogRecordFactory(before)


def tell(tenant_id: str, payload: Any, ctx: RunContext) -> None:
    ctx.progress(1, 4, "first")
    ctx.progress(2.5)
    ctx.log("hello")
    ctx.log(ValueError("odd"), level="error")
    ctx.items(processed=3, failed=1)
    ctx.heartbeat()
    log.warning("%s left", 2)


async def tell_async(tenant_id: str, payload: Any, ctx: RunContext) -> None:
    tell(tenant_id, payload, ctx)


@pytest.mark.parametrize("fn", [tell, tell_async])
async def test_all_that_is_told_arrives_from_threads_and_coroutines(
    serve: Serve, ear: Ear, run: Claimed, fn: Any
) -> None:
    await serve(fn, run)

    assert ear.begun
    assert ear.steps == [(1, 4, "first"), (2.5, None, None)]
    assert ear.lines == [
        (Level.INFO, "hello", None),
        (Level.ERROR, "odd", None),
        (Level.WARNING, "2 left", "shop.reports"),
    ]
    assert (ear.counts, ear.beats) == ([(3, None, 1)], 1)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("done", lambda ctx: ctx.progress("1")),
        ("done", lambda ctx: ctx.progress(True)),
        ("done", lambda ctx: ctx.progress(float("nan"))),
        ("done", lambda ctx: ctx.progress(-1)),
        ("done", lambda ctx: ctx.progress(10**400)),
        ("total", lambda ctx: ctx.progress(1, float("inf"))),
        ("level", lambda ctx: ctx.log("x", level="loud")),
        ("level", lambda ctx: ctx.log("x", level=[])),
        ("processed", lambda ctx: ctx.items(processed=-1)),
        ("failed", lambda ctx: ctx.items(failed=1.5)),
        ("succeeded", lambda ctx: ctx.items(succeeded=2**62)),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    run: Claimed, ear: Ear, name: str, call: Any
) -> None:
    with pytest.raises(InvalidInput) as refused:
        call(RunContext(run))

    assert refused.value.field == name
    assert (ear.steps, ear.counts, ear.lines) == ([], [], [])


def test_texts_are_bounded_and_storable(run: Claimed, ear: Ear) -> None:
    ctx = RunContext(run)
    ctx.progress(1, message="\0\ud800" + "x" * 5000)
    ctx.log("\0\ud800" + "ä" * 5000)

    [(_, _, message)] = ear.steps
    [(_, text, _)] = ear.lines
    assert message is not None
    assert len(message.encode()) <= MAX_MESSAGE_BYTES
    assert len(text.encode()) <= MAX_LINE_BYTES
    assert "\0" not in message + text
    (message + text).encode()


def test_a_context_that_nobody_listens_to_may_be_used() -> None:
    tell("acme", {}, RunContext(claimed(HANDLER)))


async def test_records_of_others_are_not_taken_for_the_runs_own(
    serve: Serve, ear: Ear, run: Claimed
) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def waits(tenant_id: str, payload: Any) -> None:
        log.info("mine")
        begun.set()
        await go.wait()
        log.info("mine too")

    delivering = asyncio.create_task(serve(waits, run))
    await begun.wait()
    log.info("not its own")
    other = threading.Thread(target=log.info, args=("nor this",))
    other.start()
    other.join()
    go.set()
    await delivering
    log.info("afterwards")

    assert [text for _, text, _ in ear.lines] == ["mine", "mine too"]


async def test_tasks_that_a_handler_starts_speak_for_its_run(
    serve: Serve, ear: Ear, run: Claimed
) -> None:
    async def helper() -> None:
        log.debug("from a task")
        await asyncio.to_thread(log.critical, "from a thread")

    async def starts(tenant_id: str, payload: Any) -> None:
        await asyncio.create_task(helper())

    await serve(starts, run)

    assert [(level, text) for level, text, _ in ear.lines] == [
        (Level.DEBUG, "from a task"),
        (Level.CRITICAL, "from a thread"),
    ]


async def test_what_a_logger_holds_back_is_not_told(serve: Serve, ear: Ear, run: Claimed) -> None:
    log.setLevel(logging.WARNING)

    async def speaks(tenant_id: str, payload: Any) -> None:
        log.info("held back")
        log.warning("let through")

    await serve(speaks, run)

    assert [text for _, text, _ in ear.lines] == ["let through"]


async def test_an_exception_that_is_logged_comes_with_its_trace(
    serve: Serve, ear: Ear, run: Claimed
) -> None:
    async def speaks(tenant_id: str, payload: Any) -> None:
        try:
            raise ValueError("boom")
        except ValueError:
            log.exception("it went wrong")

    await serve(speaks, run)

    [(level, text, _)] = ear.lines
    assert level is Level.ERROR
    assert text.startswith("it went wrong\nTraceback")
    assert text.endswith("ValueError: boom")


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text")


async def test_a_record_that_cannot_be_written_harms_nobody(
    serve: Serve, ear: Ear, run: Claimed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)

    async def speaks(tenant_id: str, payload: Any) -> str:
        log.info("%s", Hostile())
        log.info("%d", "no number")
        logging.makeLogRecord({"msg": "from another process"})
        return "done"

    assert await serve(speaks, run) == Succeeded("done")

    assert [text for _, text, _ in ear.lines] == [
        "a record that cannot be written: RuntimeError",
        "a record that cannot be written: TypeError",
    ]


async def test_listening_twice_hears_once_although_the_application_wraps_records(
    serve: Serve, ear: Ear, run: Claimed
) -> None:
    ours = logging.getLogRecordFactory()
    logging.setLogRecordFactory(lambda *args, **more: ours(*args, **more))
    capture.install()

    async def speaks(tenant_id: str, payload: Any) -> None:
        log.info("once")

    await serve(speaks, run)

    assert [text for _, text, _ in ear.lines] == ["once"]
