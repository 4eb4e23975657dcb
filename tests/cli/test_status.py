"""`tickwright status` and `tickwright db`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import AWAY, Cli
from tests.databases import PostgresServer


def test_totals_are_those_of_the_scope(cli: Cli) -> None:
    cli.create("report")
    cli.create("report", "--paused")
    cli.create("report", "--tenant", "acme")
    status = cli.json("status")
    assert status["totals"] == {"total": 2, "active": 1, "dueNow": 0}
    assert status["scope"] == {"type": "tenant", "tenantId": "default", "organizationId": None}
    assert status["schedules"] == 3
    assert cli.json("status", "--system")["totals"]["total"] == 0


def test_what_is_due_is_counted(cli: Cli) -> None:
    cli.create("report", "--at", "2020-01-01T00:00:00Z", "--run-past")
    assert cli.json("status")["totals"]["dueNow"] == 1


def test_json_names_strategy_database_and_poll_interval(cli: Cli) -> None:
    status = cli.json("status", SCHEDULER_POLL_INTERVAL_MS="1234")
    assert status["strategy"] == "local"
    assert status["database"] == "ok"
    assert status["dialect"] == "sqlite"
    assert status["databaseUrl"] == cli.url
    assert status["schemaIsCurrent"] is True
    assert status["pollIntervalMs"] == 1234
    assert (status["workersOnline"], status["leader"], status["problems"]) == (0, None, [])


@pytest.mark.usefixtures("engine")
def test_workers_are_counted(cli: Cli) -> None:
    assert cli.json("status")["workersOnline"] == 1
    assert "Workers online  1" in cli.ok("status")


def test_people_get_a_page(cli: Cli) -> None:
    cli.create("report")
    shown = cli.ok("status")
    assert "Schedules       1 total, 1 active, 0 due now\n" in shown
    assert "Problems        none\n" in shown


def test_a_database_that_is_away_is_5_and_its_password_stays_secret(cli: Cli) -> None:
    result = cli("status", "--json", "--database-url", AWAY)
    assert result.exit_code == 5
    status = json.loads(result.stdout)
    assert (status["database"], status["totals"]) == ("unavailable", None)
    assert status["databaseUrl"] == "postgresql://nobody:***@127.0.0.1:9/nothing"
    assert status["problems"] == ["the database cannot be reached"]
    assert "out of reach" in cli("status", "--database-url", AWAY).stdout


def test_a_schema_that_is_not_current_is_4(cli: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'fresh.db'}"
    result = cli("status", "--json", "--database-url", url)
    assert result.exit_code == 4
    assert json.loads(result.stdout)["database"] == "schema"


def test_upgrading_makes_the_schema_current(cli: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'deep' / 'fresh.db'}"
    said = cli.ok("db", "upgrade", "--database-url", url)
    assert said == "The schema is current (sqlite).\n"
    assert cli.ok("db", "upgrade", "--database-url", url) == said
    assert cli.json("db", "status", "--database-url", url) == {
        "database": "ok",
        "dialect": "sqlite",
        "schemaIsCurrent": True,
    }


def test_looking_at_the_schema_changes_nothing(cli: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'fresh.db'}"
    for _ in range(2):
        result = cli("db", "status", "--database-url", url)
        assert result.exit_code == 4
        assert "run `tickwright db upgrade`" in result.stdout


def test_the_schema_of_a_database_that_is_away_is_unknown(cli: Cli) -> None:
    result = cli("db", "status", "--json", "--database-url", AWAY)
    assert result.exit_code == 5
    assert json.loads(result.stdout)["schemaIsCurrent"] is None
    assert "cannot be reached" in cli("db", "status", "--database-url", AWAY).stdout


def test_a_file_that_is_no_database_is_an_error(cli: Cli, tmp_path: Path) -> None:
    shutil.copy(__file__, tmp_path / "text.db")
    assert cli("db", "upgrade", "--database-url", f"sqlite:///{tmp_path}/text.db").exit_code in (
        1,
        5,
    )


def test_upgrading_works_in_both_dialects(bare_database_url: str) -> None:
    cli = Cli(bare_database_url)
    assert cli("db", "status").exit_code == 4
    assert cli.ok("db", "upgrade").startswith("The schema is current (")
    assert cli.json("db", "status")["schemaIsCurrent"] is True


def test_commands_work_in_both_dialects(database_url: str) -> None:
    cli = Cli(database_url)
    cli.create("report", "--key", "daily")
    assert cli.json("run", "daily")["status"] == "queued"
    assert [each["key"] for each in cli.json("list")["data"]] == ["daily"]
    assert cli.json("status")["totals"] == {"total": 1, "active": 1, "dueNow": 0}
    cli.ok("schedule", "delete", "daily")
    assert cli.json("status")["totals"]["total"] == 0


def test_postgresql_is_never_migrated_unasked(postgres_server: PostgresServer) -> None:
    with postgres_server.database(migrated=False) as url:
        assert "tickwright db upgrade" in Cli(url).refused(4, "list")
