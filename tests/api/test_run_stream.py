"""What a run tells, read as a log and followed as Server-Sent Events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tickwright import RunContext
from tickwright.api import run_stream
from tickwright.api.run_stream import Streams
from tickwright.bootstrap import Scheduler
from tickwright.model.errors import StoreUnavailable
from tickwright.service import following

from .support import ACME, ON_SQLITE, OTHER, UNKNOWN_ID, Engine, paths_of, problem_of

PATIENCE = 30.0


class Work:
    """A handler that tells something, waits, and tells some more."""

    def __init__(self) -> None:
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.contexts: list[RunContext] = []

    async def __call__(self, tenant_id: str, payload: Any, ctx: RunContext) -> str:
        self.contexts.append(ctx)
        ctx.progress(1, 2, "half")
        ctx.log("first\nof two lines", level="warning")
        self.begun.set()
        await self.go.wait()
        ctx.items(processed=2, succeeded=2)
        ctx.log("last")
        return "done"


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_LOOK_SECONDS", 0.005)


@pytest.fixture
def work(scheduler: Scheduler) -> Work:
    made = Work()
    scheduler.register_handler("report", made)
    return made


@pytest.fixture
async def run(client: httpx.AsyncClient, engine: Engine, work: Work) -> str:
    """One that waits for its engine."""
    answer = await client.post("/runs", json={"jobKey": "report"})
    run_id: str = answer.json()["id"]
    return run_id


@asynccontextmanager
async def under_way(engine: Engine, scheduler: Scheduler, work: Work) -> AsyncIterator[None]:
    scheduler._runtime.serve()
    round_ = asyncio.create_task(engine.round())
    await asyncio.wait_for(work.begun.wait(), PATIENCE)
    await scheduler._runtime.reporter.flush()
    try:
        yield
    finally:
        work.go.set()
        await round_


class Client:
    """One that reads a stream as it comes, and goes away when it likes."""

    def __init__(self, app: FastAPI, path: str, **headers: str) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._gone = asyncio.Event()
        self._asked = False
        self._pieces: asyncio.Queue[str | None] = asyncio.Queue()
        self._buffer = ""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), text.encode()) for name, text in headers.items()],
            "client": ("test", 1),
            "server": ("test", 80),
        }
        self.serving = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): text.decode() for name, text in message["headers"]}
            return
        self._pieces.put_nowait(message["body"].decode())
        if not message.get("more_body"):
            self._pieces.put_nowait(None)

    async def event(self) -> dict[str, Any] | str | None:
        """The next event, or comment as it stands; None when the stream is over."""
        while "\n\n" not in self._buffer:
            piece = await asyncio.wait_for(self._pieces.get(), PATIENCE)
            if piece is None:
                assert not self._buffer
                return None
            self._buffer += piece
        text, _, self._buffer = self._buffer.partition("\n\n")
        if text.startswith(":"):
            return text
        fields = dict(line.split(": ", 1) for line in text.splitlines())
        if "data" in fields:
            fields["data"] = json.loads(fields["data"])
        return fields

    async def until(self, kind: str) -> dict[str, Any]:
        while True:
            event = await self.event()
            assert event is not None, f"the stream ended without {kind}"
            if isinstance(event, dict) and event.get("event") == kind:
                return event

    async def rest(self) -> list[Any]:
        events = []
        while (event := await self.event()) is not None:
            events.append(event)
        return events

    async def leave(self) -> None:
        self._gone.set()
        await asyncio.wait_for(self.serving, PATIENCE)


async def test_a_log_is_read_in_pages(
    client: httpx.AsyncClient, engine: Engine, scheduler: Scheduler, work: Work, run: str
) -> None:
    async with under_way(engine, scheduler, work):
        read = (await client.get(f"/runs/{run}")).json()
        assert read["progress"] == {
            "done": 1, "total": 2, "message": "half", "at": "2040-01-02T09:00:00Z",
        }  # fmt: skip
        first = (await client.get(f"/runs/{run}/logs")).json()
    [line] = first["data"]
    assert line == {
        "seq": line["seq"],
        "attempt": 1,
        "at": "2040-01-02T09:00:00Z",
        "level": "warning",
        "logger": None,
        "text": "first\nof two lines",
    }
    assert (first["next"], first["dropped"]) == (line["seq"], 0)
    second = (await client.get(f"/runs/{run}/logs", params={"after": first["next"]})).json()
    assert [each["text"] for each in second["data"]] == ["last"]
    newest = (await client.get(f"/runs/{run}/logs?newest=true&limit=1")).json()
    assert newest["data"] == second["data"]
    after = (await client.get(f"/runs/{run}/logs", params={"after": second["next"]})).json()
    assert (after["data"], after["next"]) == ([], second["next"])


@ON_SQLITE
async def test_what_cannot_be_asked_of_a_log_is_named(client: httpx.AsyncClient, run: str) -> None:
    for query in ("after=-1", "limit=0", "limit=501", "attempt=0", "nonsense=1", f"after={2**63}"):
        problem = problem_of(await client.get(f"/runs/{run}/logs?{query}"), 422, "invalid_input")
        assert paths_of(problem) == [query.partition("=")[0]]


@pytest.mark.parametrize("what", ["logs", "stream"])
async def test_an_unknown_run_and_one_of_another_scope_tell_nothing(
    client: httpx.AsyncClient, scheduler: Scheduler, what: str
) -> None:
    theirs = await scheduler.run_job(OTHER, "report")
    for run_id in (UNKNOWN_ID, str(theirs.id)):
        problem_of(await client.get(f"/runs/{run_id}/{what}"), 404, "not_found")


async def test_a_run_is_followed_to_its_end(
    app: FastAPI, engine: Engine, scheduler: Scheduler, work: Work, run: str
) -> None:
    stream = Client(app, f"/runs/{run}/stream")
    assert await stream.event() == {"retry": "2000"}
    queued = await stream.until("status")
    assert (queued["id"], queued["data"]["status"]) == ("0", "queued")
    async with under_way(engine, scheduler, work):
        log = await stream.until("log")
        assert log["data"]["text"] == "first\nof two lines"
        assert log["id"] == str(log["data"]["seq"])
        resumed = Client(app, f"/runs/{run}/stream", **{"last-event-id": log["id"]})
        step = await resumed.until("progress")
        assert step["data"]["progress"]["message"] == "half"
        assert step["data"]["attempt"] == 1
    events = await stream.rest()
    assert [event["data"]["text"] for event in events if event["event"] == "log"] == ["last"]
    end = events[-1]
    assert (end["event"], end["data"]["id"], end["data"]["result"]) == ("end", run, "done")
    assert end["data"]["items"]["succeeded"] == 2
    assert end["id"].endswith(".end")
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.headers["cache-control"] == "no-store"
    again = await resumed.rest()
    assert [event["data"]["text"] for event in again if event["event"] == "log"] == ["last"]
    over = Client(app, f"/runs/{run}/stream", **{"last-event-id": end["id"]})
    await over.serving
    assert over.status == 204


@ON_SQLITE
async def test_the_whole_story_of_an_ended_run_is_sent_at_once(
    client: httpx.AsyncClient, engine: Engine, scheduler: Scheduler, work: Work, run: str
) -> None:
    async with under_way(engine, scheduler, work):
        pass
    text = (await client.get(f"/runs/{run}/stream")).text
    kinds = [line.removeprefix("event: ") for line in text.splitlines() if "event: " in line]
    assert kinds == ["status", "progress", "log", "log", "end"]


@ON_SQLITE
@pytest.mark.parametrize("given", ["x", "-1", "1.start", "1" * 19])
async def test_an_event_id_that_was_never_sent_is_refused(
    client: httpx.AsyncClient, run: str, given: str
) -> None:
    answer = await client.get(f"/runs/{run}/stream", headers={"Last-Event-ID": given})
    assert paths_of(problem_of(answer, 422, "invalid_input")) == ["Last-Event-ID"]


@ON_SQLITE
async def test_a_client_that_goes_away_frees_everything(
    app: FastAPI, scheduler: Scheduler, run: str
) -> None:
    tasks = len(asyncio.all_tasks())
    stream = Client(app, f"/runs/{run}/stream")
    await stream.until("status")
    assert app.state.streams.open == 1
    await stream.leave()
    assert app.state.streams.open == 0
    # What was asked of the database just then is answered first.
    async with asyncio.timeout(PATIENCE):
        while len(asyncio.all_tasks()) > tasks or scheduler._runtime.finisher._waiters:  # noqa: ASYNC110
            await asyncio.sleep(0)


@ON_SQLITE
async def test_a_silent_run_keeps_its_connection(
    app: FastAPI, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_stream, "KEEP_ALIVE_SECONDS", 0.01)
    stream = Client(app, f"/runs/{run}/stream")
    await stream.until("status")
    assert await stream.event() == ": keep-alive"
    assert await stream.event() == ": keep-alive"
    await stream.leave()


@ON_SQLITE
async def test_only_so_many_streams_are_fed_at_once(
    app: FastAPI, client: httpx.AsyncClient, run: str
) -> None:
    app.state.streams = Streams(most=2)
    streams = [Client(app, f"/runs/{run}/stream") for _ in range(2)]
    for stream in streams:
        await stream.until("status")
    answer = await client.get(f"/runs/{run}/stream")
    problem_of(answer, 503, "too_many_streams")
    assert answer.headers["retry-after"] == "5"
    await streams[0].leave()
    another = Client(app, f"/runs/{run}/stream")
    await another.until("status")
    for stream in (another, streams[1]):
        await stream.leave()
    assert app.state.streams.open == 0


@ON_SQLITE
async def test_a_stream_outlives_a_database_that_goes_away(
    app: FastAPI, scheduler: Scheduler, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_stream, "_AWAY_SECONDS", 0.005)
    stream = Client(app, f"/runs/{run}/stream")
    await stream.until("status")
    reading = scheduler._store.runs.get

    async def away(*_: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(scheduler._store.runs, "get", away)
    assert await stream.event() == ": the database cannot be reached"
    monkeypatch.setattr(scheduler._store.runs, "get", reading)
    assert (await stream.until("status"))["data"]["status"] == "queued"
    await stream.leave()


@ON_SQLITE
async def test_streams_end_when_the_process_is_told_to_stop(
    app: FastAPI, scheduler: Scheduler, run: str
) -> None:
    stream = Client(app, f"/runs/{run}/stream")
    await stream.until("status")
    scheduler._stopping.set()
    assert all(event["event"] != "end" for event in await stream.rest())
    await asyncio.wait_for(stream.serving, PATIENCE)
    assert app.state.streams.open == 0
    assert (await scheduler.find_runs(ACME)).total == 1
