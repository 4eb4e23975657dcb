"""`serve`, `start` and `worker` as real processes: they come up, work, and end as they should."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.commands import Commands, Running, SlowService, post, status_of
from tickwright import Scheduler, SyncScheduler, every, tenant
from tickwright.model.run import RunStatus

DEFAULT = tenant("default")
AWAY = "postgresql://nobody@127.0.0.1:9/nothing"
SERVICE_JOB = {
    "name": "daily",
    "displayName": "Daily",
    "description": "",
    "jobType": "other",
    "cronExpression": "0 9 * * *",
    "service": "reports",
    "endpoint": "/daily",
    "enabled": True,
}
JOBS = """
import time
from tickwright import Scheduler, SyncScheduler

scheduler = Scheduler(grace_seconds=1.5)
front = SyncScheduler(scheduler)


@scheduler.handler("report")
async def report(tenant_id, payload):
    return {"tenant": tenant_id, **payload}


@scheduler.handler("slow")
def slow(tenant_id, payload):
    time.sleep(payload["seconds"])
    return "slept"
"""


@pytest.fixture
def commands(tmp_path: Path, sqlite_url: str) -> Iterator[Commands]:
    (tmp_path / "my_jobs.py").write_text(JOBS)
    opened = Commands(tmp_path, sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def front(sqlite_url: str) -> Iterator[SyncScheduler]:
    """The same database, seen from the test."""
    opened = SyncScheduler(Scheduler(sqlite_url))
    opened.open()
    yield opened
    opened.stop()


@pytest.fixture
def slow_service() -> Iterator[str]:
    SlowService.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), SlowService) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _ready(service: Running) -> str:
    url = service.url()
    service.until(lambda: status_of(f"{url}/ready") == 200)
    return url


def _at_work(front: SyncScheduler, running: Running) -> None:
    running.until(lambda: front.status().workers_online == 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_answers_until_a_signal_comes(
    commands: Commands, front: SyncScheduler, number: int
) -> None:
    service = commands.start("serve", "--port", "0")
    url = _ready(service)
    assert status_of(f"{url}/live") == 200
    assert f"documentation is at {url}/docs" in service.out
    assert status_of(f"{url}/docs") == 200
    assert front.status().workers_online == 1
    assert service.ended(number) == 0
    assert front.status().workers_online == 0
    assert "Traceback" not in service.err
    assert "Warning" not in service.err


def test_serve_listens_on_this_machine_only(commands: Commands) -> None:
    refused = commands.run("serve", "--port", "0", "--host", "0.0.0.0")
    assert refused.returncode == 2
    assert "--insecure" in refused.stderr
    assert refused.stdout == ""
    by_environment = commands.run("serve", "--port", "0", HOST="0.0.0.0")
    assert by_environment.returncode == 2


@pytest.mark.parametrize("how", ["option", "environment"])
def test_serve_listens_everywhere_when_allowed(commands: Commands, how: str) -> None:
    words = ("serve", "--port", "0", "--host", "0.0.0.0")
    if how == "option":
        service = commands.start(*words, "--insecure")
    else:
        service = commands.start(*words, TICKWRIGHT_INSECURE="1")
    assert service.url().startswith("http://0.0.0.0:")
    assert service.ended(signal.SIGTERM) == 0


def test_a_port_in_use_is_one_clear_line(commands: Commands) -> None:
    port = commands.start("serve", "--port", "0").url().rpartition(":")[2]
    second = commands.run("serve", "--port", port)
    assert second.returncode == 1
    assert second.stderr == f"error: port {port} on 127.0.0.1 is already in use\n"


def test_serve_answers_while_the_database_is_away(commands: Commands) -> None:
    service = commands.start("serve", "--port", "0", "--database-url", AWAY)
    url = service.url()
    service.until(lambda: "waiting for the database" in service.err)
    assert status_of(f"{url}/live") == 200
    assert status_of(f"{url}/ready") == 503
    assert service.ended(signal.SIGTERM) == 0


@pytest.mark.parametrize("command", ["start", "worker"])
def test_an_engine_waits_for_the_database(commands: Commands, command: str) -> None:
    engine = commands.start(command, "--database-url", AWAY)
    engine.until(lambda: "waiting for the database" in engine.err)
    assert engine.ended(signal.SIGTERM) == 0


@pytest.mark.parametrize("words", [("serve", "--port", "0"), ("start",), ("worker",)])
def test_a_schema_that_is_not_current_ends_it(
    commands: Commands, words: tuple[str, ...], tmp_path: Path
) -> None:
    fresh = f"sqlite:///{tmp_path / 'fresh.db'}"
    answer = commands.run(*words, "--database-url", fresh, TICKWRIGHT_AUTO_MIGRATE="0")
    assert answer.returncode == 4
    assert "error: the database schema is not current: run `tickwright db upgrade`" in answer.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("serve", "--port", "0", "--app", "my_jobs:scheduler"),
        ("start", "--app", "my_jobs:scheduler"),
        ("worker", "--app", "my_jobs:front"),
    ],
    ids=lambda words: words[0],
)
def test_handlers_of_an_app_are_served(
    commands: Commands, front: SyncScheduler, words: tuple[str, ...]
) -> None:
    engine = commands.start(*words)
    _at_work(front, engine)
    front.create_schedule(DEFAULT, "report", every("1d"), key="daily")
    run = commands.json("run", "daily", "--payload", '{"n": 1}')
    assert run["result"] == {"tenant": "default", "n": 1}
    assert engine.ended(signal.SIGTERM) == 0
    assert "Traceback" not in engine.err


def test_schedules_fire_without_an_app_too(commands: Commands, front: SyncScheduler) -> None:
    """Only HTTP targets are served then; this one is refused at once and so is decided."""
    engine = commands.start("start", MAIL_URL="http://127.0.0.1:9")
    _at_work(front, engine)
    commands.run(
        *("schedule", "create", "mail", "--key", "mail", "--every", "1s"),
        *("--target", '{"type": "http", "service": "mail", "endpoint": "/x"}'),
        MAIL_URL="http://127.0.0.1:9",
    )
    engine.until(lambda: "scheduler.run.failed" in engine.err)
    assert engine.ended(signal.SIGTERM) == 0


@pytest.mark.parametrize("command", ["serve", "start"])
def test_running_work_may_finish(commands: Commands, front: SyncScheduler, command: str) -> None:
    port = ("--port", "0") if command == "serve" else ()
    engine = commands.start(command, *port, "--app", "my_jobs:scheduler")
    _at_work(front, engine)
    _begin_slow(front, engine, seconds=1)
    assert engine.ended(signal.SIGTERM) == 0
    assert front.get_schedule(DEFAULT, "slow").stats.last_status == "succeeded"


def test_after_a_signal_requests_are_answered_but_nothing_new_is_begun(
    commands: Commands, front: SyncScheduler, slow_service: str
) -> None:
    front.create_schedule(DEFAULT, "report", every("1d"), key="late")
    words = ("serve", "--port", "0", "--app", "my_jobs:scheduler")
    service = commands.start(*words, REPORTS_URL=slow_service)
    url = _ready(service)
    assert post(f"{url}/api/jobs/register", SERVICE_JOB)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(post, f"{url}/api/jobs/daily/trigger", {})
        service.until(SlowService.asked.is_set)
        service.process.send_signal(signal.SIGTERM)
        service.until(lambda: "SIGTERM: stopping" in service.err)
        late = front.trigger_schedule(DEFAULT, "late")
        assert service.ended() == 0
        assert answer.result()["result"]["success"] is True
    assert front.get_run(DEFAULT, late.id).status is RunStatus.QUEUED


def test_work_that_does_not_end_is_left_behind(commands: Commands, front: SyncScheduler) -> None:
    engine = commands.start("start", "--app", "my_jobs:scheduler")
    _at_work(front, engine)
    _begin_slow(front, engine, seconds=60)
    began = time.monotonic()
    assert engine.ended(signal.SIGTERM) == 0
    assert 1.0 < time.monotonic() - began < 8.0
    assert "left behind" in engine.err
    assert [run.status for run in front.find_runs(DEFAULT).items] == [RunStatus.QUEUED]


def test_a_second_signal_ends_at_once(commands: Commands, front: SyncScheduler) -> None:
    engine = commands.start("start", "--app", "my_jobs:scheduler")
    _at_work(front, engine)
    _begin_slow(front, engine, seconds=60)
    engine.process.send_signal(signal.SIGTERM)
    engine.until(lambda: "a second signal ends at once" in engine.err)
    began = time.monotonic()
    assert engine.ended(signal.SIGTERM) == 128 + signal.SIGTERM
    assert time.monotonic() - began < 1.0


def test_an_app_that_is_none_is_refused(commands: Commands) -> None:
    answer = commands.run("start", "--app", "nothing_here:scheduler")
    assert answer.returncode == 2
    assert answer.stderr == "error: app: there is no module 'nothing_here'\n"


def test_variables_of_the_seeds(commands: Commands) -> None:
    service = commands.start(
        "start", NODE_ENV="development", SUPABASE_URL="x", SUPABASE_SERVICE_KEY="y"
    )
    service.until(lambda: "the engine runs" in service.err)
    assert service.ended(signal.SIGTERM) == 0
    warnings = [line for line in service.err.splitlines() if '"warning"' in line]
    assert len(warnings) == 1
    assert "SUPABASE_SERVICE_KEY, SUPABASE_URL" in warnings[0]
    assert "NODE_ENV" not in service.err


def test_an_interrupted_wait_is_130(commands: Commands, front: SyncScheduler) -> None:
    front.create_schedule(DEFAULT, "report", every("1d"), key="daily")
    waiting = commands.start("run", "daily", "--wait")
    waiting.until(lambda: front.find_runs(DEFAULT).total == 1)
    time.sleep(0.5)
    assert waiting.ended(signal.SIGINT) == 130
    assert re.fullmatch(r"run \S+ goes on without us\n", waiting.err)
    assert [run.status for run in front.find_runs(DEFAULT).items] == [RunStatus.QUEUED]


def test_no_command_at_all_shows_the_help(commands: Commands) -> None:
    assert "serve" in commands.run().stdout


def _begin_slow(front: SyncScheduler, engine: Running, *, seconds: int) -> None:
    front.create_schedule(DEFAULT, "slow", every("1d"), key="slow", payload={"seconds": seconds})
    run = front.trigger_schedule(DEFAULT, "slow")
    engine.until(lambda: front.get_run(DEFAULT, run.id).status is RunStatus.RUNNING)
    engine.until(lambda: front.get_run(DEFAULT, run.id).started_at is not None)
