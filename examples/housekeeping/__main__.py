"""Starts the service: it listens, registers its jobs and serves until it is told to end."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from aiohttp import web

from .data_directory import DataDirectory
from .registration import NotRegistered, register_jobs
from .sample_data import create_sample_data
from .service import build_app


def main() -> None:
    parser = argparse.ArgumentParser(prog="housekeeping", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--scheduler-url", required=True)
    parser.add_argument("--data", type=Path, required=True, help="no job leaves this directory")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    create_sample_data(options.data)
    try:
        asyncio.run(serve(options))
    except NotRegistered as problem:
        sys.exit(f"housekeeping: {problem}")


async def serve(options: argparse.Namespace) -> None:
    told_to_end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told_to_end.set)
    app = build_app(DataDirectory(options.data))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=10)
    await runner.setup()
    try:
        await web.TCPSite(runner, options.host, options.port).start()
        await register_until(told_to_end, options.scheduler_url)
        await told_to_end.wait()
    finally:
        await runner.cleanup()


async def register_until(told_to_end: asyncio.Event, scheduler_url: str) -> None:
    registering = asyncio.create_task(register_jobs(scheduler_url, os.environ.get("SERVICE_TOKEN")))
    ending = asyncio.create_task(told_to_end.wait())
    await asyncio.wait({registering, ending}, return_when=asyncio.FIRST_COMPLETED)
    if registering.done():
        registering.result()


main()
