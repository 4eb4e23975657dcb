"""`tickwright job …`."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Cli


def test_everything_that_can_be_said(cli: Cli) -> None:
    made = cli.json(
        *("job", "create", "mail", "--queue", "heavy", "--priority", "9", "--max-attempts", "7"),
        *("--timeout", "15m", "--max-lost", "1", "--on-ambiguous", "fail", "--no-dead-letter"),
        *("--backoff", "linear", "--base", "5s", "--cap", "1m", "--no-jitter"),
    )
    assert (made["key"], made["queue"], made["priority"], made["version"]) == (
        "mail",
        "heavy",
        9,
        1,
    )
    assert (made["maxAttempts"], made["timeout"], made["maxLost"]) == (7, "15m", 1)
    assert (made["onAmbiguous"], made["deadLetter"]) == ("fail", False)
    assert made["backoff"] == {
        "kind": "linear",
        "base": "5s",
        "factor": 2.0,
        "cap": "1m",
        "jitter": False,
        "delays": [],
    }
    assert cli.json("job", "show", "mail") == made


def test_bounds_are_set_shown_and_given_up(cli: Cli) -> None:
    made = cli.json(
        *("job", "create", "mail", "--concurrency", "3", "--tenant-concurrency", "10"),
        *("--key-concurrency", "1", "--concurrency-key", "customer.id"),
        *("--rate", "100/1m", "--rate-by-key", "--heartbeat-timeout", "30s"),
        *("--sla-start", "10s", "--sla-duration", "5m", "--pause-after", "4"),
        *("--keep-for", "30d", "--keep-last", "500"),
    )
    assert (made["concurrency"], made["tenantConcurrency"], made["keyConcurrency"]) == (3, 10, 1)
    assert made["rate"] == {"starts": 100, "per": "1m", "byKey": True}
    shown = cli.ok("job", "show", "mail")
    assert "100 starts per 1m for each customer.id" in shown
    after = cli.json("job", "update", "mail", "--rate", "none", "--concurrency", "none")
    assert (after["rate"], after["concurrency"], after["keepLast"]) == (None, None, 500)
    assert "no rate such as" in cli.refused(2, "job", "update", "mail", "--rate", "many")
    assert "no whole number" in cli.refused(2, "job", "update", "mail", "--pause-after", "x")


def test_delays_make_a_list(cli: Cli) -> None:
    made = cli.json("job", "create", "mail", "--delay", "1s", "--delay", "1m")
    assert (made["backoff"]["kind"], made["backoff"]["delays"]) == ("list", ["1s", "1m"])
    assert "Backoff       1s, 1m, half random\n" in cli.ok("job", "show", "mail")


def test_updating_changes_what_is_named(cli: Cli) -> None:
    cli.ok("job", "create", "mail", "--priority", "9")
    after = cli.json("job", "update", "mail", "--timeout", "2h")
    assert (after["priority"], after["timeout"], after["version"]) == (9, "2h", 2)
    assert "version" in cli.refused(4, "job", "update", "mail", "--priority", "1", "--version", "1")


def test_listing_and_deleting(cli: Cli) -> None:
    for key in ("report", "mail"):
        cli.ok("job", "create", key)
    assert [job["key"] for job in cli.json("job", "list")["data"]] == ["mail", "report"]
    assert "10s x 2 up to 1h, half random" in cli.ok("job", "list")
    assert cli.ok("job", "delete", "mail") == "Deleted mail.\n"
    cli.refused(3, "job", "show", "mail")
    cli.refused(3, "job", "delete", "mail")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--priority", "10"), "priority: "),
        (("--timeout", "soon"), "timeout: "),
        (("--backoff", "list"), "backoff.delays: "),
        (("--delay", "x"), "backoff.delays.0: "),
    ],
)
def test_bad_input_is_2(cli: Cli, words: tuple[str, ...], said: str) -> None:
    assert said in cli.refused(2, "job", "create", "mail", *words)


def test_a_key_is_created_once(cli: Cli) -> None:
    cli.ok("job", "create", "mail")
    cli.refused(4, "job", "create", "mail")
    cli.refused(2, "job", "update", "mail")
