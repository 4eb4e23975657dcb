"""Where the service listens, and whom it uses."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tickwright.cli.listening import listening_socket, url_of
from tickwright.cli.loading import load_scheduler, scheduler_for
from tickwright.model.errors import InvalidInput, TickwrightError


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1.2.3"])
def test_this_machine_is_safe(host: str) -> None:
    with listening_socket(host, 0, insecure=False) as sock:
        assert url_of(sock).startswith("http://127.")


@pytest.mark.parametrize("host", ["0.0.0.0", "0", "", "::", "10.0.0.1"])
def test_everything_else_needs_to_be_allowed(host: str) -> None:
    with pytest.raises(InvalidInput, match="--insecure"):
        listening_socket(host, 0, insecure=False)


def test_insecure_allows_it() -> None:
    with listening_socket("0.0.0.0", 0, insecure=True) as sock:
        assert sock.getsockname()[0] == "0.0.0.0"


def test_a_port_in_use_is_told() -> None:
    with listening_socket("127.0.0.1", 0, insecure=False) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(TickwrightError, match=f"port {port} on 127.0.0.1 is already in use"):
            listening_socket("127.0.0.1", port, insecure=False)


def test_an_address_of_another_machine_cannot_be_used() -> None:
    with pytest.raises(TickwrightError, match="cannot be used"):
        listening_socket("192.0.2.1", 0, insecure=True)


def test_a_host_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidInput, match="cannot be resolved"):
        listening_socket("no-such-host.invalid", 0, insecure=False)


def test_ipv6_addresses_have_brackets() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        sock = listening_socket("::1", 0, insecure=False)
    except TickwrightError:
        pytest.skip("no IPv6 here")
    with sock:
        assert url_of(sock).startswith("http://[::1]:")


def test_serve_refuses_what_it_must(cli: Cli) -> None:
    assert "--insecure" in cli.refused(2, "serve", "--host", "0.0.0.0")
    assert "--insecure" in cli.refused(2, "serve", HOST="0.0.0.0")
    assert cli.refused(2, "serve", PORT="99999").startswith("port: ")
    assert cli.refused(2, "serve", "--log-level", "loud").startswith("logLevel: ")


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn"])
def test_serve_says_what_has_to_be_installed(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.delitem(sys.modules, "tickwright.cli.serving", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    said = cli.refused(1, "serve", "--port", "0")
    assert said == f"serve needs {missing}: pip install 'tickwright[server]'"


@pytest.fixture
def app_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "app_of_mine.py").write_text(
        "from tickwright import Scheduler, SyncScheduler\n"
        f"scheduler = Scheduler({sqlite_url!r}, grace_seconds=3)\n"
        "front = SyncScheduler(scheduler)\n"
        "class Box:\n    inner = scheduler\n"
        "number = 3\n"
    )
    (tmp_path / "app_that_breaks.py").write_text("import not_installed\n")
    return tmp_path


@pytest.mark.usefixtures("app_folder")
def test_an_app_is_found_by_module_and_name() -> None:
    found = load_scheduler("app_of_mine:scheduler")
    assert load_scheduler("app_of_mine:Box.inner") is found
    assert load_scheduler("app_of_mine:front") is found
    same, settings = scheduler_for("app_of_mine:scheduler", database_url=None, slots=None)
    assert same is found
    assert settings.grace_seconds == 3


@pytest.mark.usefixtures("app_folder")
@pytest.mark.parametrize(
    ("app", "reason"),
    [
        ("app_of_mine", "must look like"),
        (":scheduler", "must look like"),
        ("no_such_app:scheduler", "there is no module 'no_such_app'"),
        ("no_such_app.jobs:scheduler", "there is no module 'no_such_app'"),
        ("app_of_mine:nothing", "has no 'nothing'"),
        ("app_of_mine:scheduler.nothing.more", "has no 'scheduler.nothing.more'"),
        ("app_of_mine:number", "is a int, not a Scheduler"),
    ],
)
def test_an_app_that_is_none_is_refused(app: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        load_scheduler(app)


@pytest.mark.usefixtures("app_folder")
def test_what_an_app_lacks_itself_is_its_own_error() -> None:
    with pytest.raises(ModuleNotFoundError, match="not_installed"):
        load_scheduler("app_that_breaks:scheduler")


@pytest.mark.usefixtures("app_folder")
@pytest.mark.parametrize("command", ["serve", "start", "worker"])
def test_an_app_decides_its_own_settings(cli: Cli, command: str) -> None:
    port = ("--port", "0") if command == "serve" else ()
    words = (command, *port, "--app", "app_of_mine:scheduler", "--slots", "3")
    assert cli.refused(2, *words) == "slots: is decided by the scheduler that --app names"
