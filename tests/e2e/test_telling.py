"""What a run tells, seen from other processes: while it runs, when one is killed, to its end."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.commands import PATIENCE, Commands, Running, status_of
from tickwright import Scheduler, SyncScheduler, tenant
from tickwright.model.run import RunStatus

DEFAULT = tenant("default")
JOBS = """
import logging
import time
from pathlib import Path
from tickwright import Scheduler

scheduler = Scheduler(lease_seconds=2.0, sweep_seconds=0.2, grace_seconds=5)
log = logging.getLogger("shop")


@scheduler.handler("copy")
def copy(tenant_id, payload, ctx):
    ctx.progress(1, 2, f"attempt {ctx.attempt}")
    log.warning("begun in attempt %d", ctx.attempt)
    while not Path("go").exists():
        ctx.heartbeat()
        time.sleep(0.02)
    ctx.items(processed=2)
    log.warning("done")
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    name = "postgres_url" if request.param == "postgresql" else "sqlite_url"
    found: str = request.getfixturevalue(name)
    return found


@pytest.fixture
def commands(tmp_path: Path, url: str) -> Iterator[Commands]:
    (tmp_path / "shop_jobs.py").write_text(JOBS)
    opened = Commands(tmp_path, url)
    yield opened
    opened.close()


@pytest.fixture
def front(url: str) -> Iterator[SyncScheduler]:
    """The same database, seen from the test."""
    opened = SyncScheduler(Scheduler(url))
    opened.open()
    yield opened
    opened.stop()


class Stream:
    """The events of one run, as they come."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.last_id = ""

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        fields: dict[str, str] = {}
        for raw in self._answer:
            line = raw.decode().rstrip("\n")
            if line:
                name, _, text = line.partition(": ")
                fields[name] = text
                continue
            if "event" in fields:
                self.last_id = fields["id"]
                yield fields["event"], json.loads(fields["data"])
            fields = {}

    def until(self, kind: str, **wanted: Any) -> Any:
        for event, data in self:
            if event == kind and wanted.items() <= data.items():
                return data
        raise AssertionError(f"the stream ended without {kind} {wanted}")


@contextmanager
def streamed(url: str, run: object, **headers: str) -> Iterator[Stream]:
    request = urllib.request.Request(f"{url}/runs/{run}/stream", headers=headers)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        yield Stream(answer)


def serve(commands: Commands) -> tuple[Running, str]:
    """The API alone: it serves no handler."""
    service = commands.start("serve", "--port", "0")
    url = service.url()
    service.until(lambda: status_of(f"{url}/ready") == 200)
    return service, url


def test_a_run_is_followed_through_another_process_and_a_killed_worker(
    commands: Commands, front: SyncScheduler, tmp_path: Path
) -> None:
    _, url = serve(commands)
    run = front.run_job(DEFAULT, "copy").id
    with streamed(url, run) as stream:
        assert stream.until("status")["status"] == "queued"
        first = commands.start("worker", "--app", "shop_jobs:scheduler")
        assert stream.until("log")["text"] == "begun in attempt 1"
        assert front.get_run(DEFAULT, run).progress is not None
        first.ended(signal.SIGKILL)
        commands.start("worker", "--app", "shop_jobs:scheduler")
        told = stream.until("log", attempt=2)
        assert (told["text"], told["logger"]) == ("begun in attempt 2", "shop")
        seen = stream.last_id
        (tmp_path / "go").touch()
        end = stream.until("end")
        assert (end["status"], end["items"]["processed"]) == ("succeeded", 2)
        assert list(stream) == []
    with streamed(url, run, **{"Last-Event-ID": seen}) as stream:
        assert [data["text"] for kind, data in stream if kind == "log"] == ["done"]
    assert commands.run("runs", "logs", str(run), "--follow").stdout.count("\n") == 3


def test_the_command_line_follows_a_run_and_a_stopping_server_lets_go(
    commands: Commands, front: SyncScheduler, tmp_path: Path
) -> None:
    service, url = serve(commands)
    worker = commands.start("worker", "--app", "shop_jobs:scheduler")
    run = front.run_job(DEFAULT, "copy").id
    follower = commands.start("runs", "logs", str(run), "--follow")
    follower.until(lambda: "shop: begun in attempt 1" in follower.out)
    with streamed(url, run) as stream:
        stream.until("log")
        began = time.monotonic()
        assert service.ended(signal.SIGTERM) == 0
        assert time.monotonic() - began < 5.0
        assert all(kind != "end" for kind, _ in stream)
    assert "Traceback" not in service.err
    (tmp_path / "go").touch()
    assert follower.ended() == 0
    assert "shop: done" in follower.out
    assert front.get_run(DEFAULT, run).status is RunStatus.SUCCEEDED
    assert worker.ended(signal.SIGTERM) == 0
    assert "Traceback" not in worker.err
