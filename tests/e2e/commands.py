"""The command line as real processes, and the HTTP that goes with it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import tickwright

PATIENCE = 20.0


class Commands:
    """Commands as processes in a folder of the test's own, with a database beside them."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        foreign = ("TICKWRIGHT_", "SUPABASE_", "DATABASE_URL", "POSTGRES_URL", "HOST", "PORT")
        kept = {name: text for name, text in os.environ.items() if not name.startswith(foreign)}
        self._environment = {
            **kept,
            "TICKWRIGHT_DATABASE_URL": url,
            "PYTHONPATH": str(Path(tickwright.__file__).parents[1]),
            "PYTHONDEVMODE": "1",
        }
        self._started: list[Running] = []

    def run(self, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tickwright", *args],
            cwd=self._folder,
            env={**self._environment, **environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def json(self, *args: str) -> Any:
        answer = self.run(*args, "--json")
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    def start(self, *args: str, **environment: str) -> Running:
        out = self._folder / f"{len(self._started)}.out"
        err = out.with_suffix(".err")
        with out.open("w") as stdout, err.open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "tickwright", *args],
                cwd=self._folder,
                env={**self._environment, **environment},
                stdout=stdout,
                stderr=stderr,
            )
        self._started.append(Running(process, out, err))
        return self._started[-1]

    def close(self) -> None:
        for running in self._started:
            running.process.kill()
            running.process.wait()


class Running:
    """A process that was started, and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self.process = process
        self._out = out
        self._err = err

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def url(self) -> str:
        """Where it says that it answers."""
        self.until(lambda: "answers at" in self.out)
        found = re.search(r"answers at (http://\S+);", self.out)
        assert found is not None
        return found[1]

    def until(self, true: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():
            assert self.process.poll() is None, self.err
            assert time.monotonic() < deadline, self.err
            time.sleep(0.05)

    def ended(self, number: int | None = None) -> int:
        """Its exit code, after a signal if one is given."""
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)


class SlowService(BaseHTTPRequestHandler):
    """Takes a second for each request."""

    asked = threading.Event()

    def do_POST(self) -> None:
        self.asked.set()
        time.sleep(1)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b'{"success": true, "itemsProcessed": 1}')

    def log_message(self, format: str, *args: Any) -> None:
        pass


def post(url: str, body: Any) -> Any:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.load(answer)


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
