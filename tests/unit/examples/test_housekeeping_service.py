from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from examples.housekeeping.data_directory import DataDirectory
from examples.housekeeping.jobs import JOBS
from examples.housekeeping.sample_data import create_sample_data
from examples.housekeeping.service import build_app

Service = TestClient[Any, Any]
NOTHING_DONE = {"success": False, "itemsProcessed": 0, "itemsSucceeded": 0, "itemsFailed": 0}


@pytest.fixture
async def service(data: DataDirectory) -> AsyncIterator[Service]:
    async with TestClient(TestServer(build_app(data))) as client:
        yield client


async def post(service: Service, name: str, config: object) -> tuple[int, dict[str, Any]]:
    context = {
        "jobName": name,
        "config": config,
        "executionId": "0198c0de-0000-7000-8000-000000000001",
        "triggeredBy": "manual",
        "triggeredByUser": "ada",
    }
    async with service.post(f"/api/jobs/{name}", json=context) as response:
        return response.status, await response.json()


async def test_a_job_answers_with_its_counts_and_logs_one_line(
    service: Service, data: DataDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="housekeeping")
    (data.root / "files/a.txt").write_text("a")

    answer = await post(service, "directory-digest", {"directory": "files", "output": "reports"})

    assert answer == (
        200,
        {
            "success": True,
            "itemsProcessed": 1,
            "itemsSucceeded": 1,
            "itemsFailed": 0,
            "metadata": {"added": 1, "changed": 0, "removed": 0},
        },
    )
    (line,) = [record.message for record in caplog.records if record.name == "housekeeping"]
    assert line.startswith(
        "directory-digest 0198c0de-0000-7000-8000-000000000001 done, 1 of 1 items ("
    )


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
async def test_every_job_does_its_registered_work_on_the_sample_data(
    service: Service, data: DataDirectory, job: Any
) -> None:
    (data.root / "files").rmdir()
    create_sample_data(data.root)

    status, result = await post(service, job.name, job.config)

    assert status == 200
    assert result["success"]
    assert result["itemsProcessed"] == result["itemsSucceeded"] > 0


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("directory-digest", {"directory": "..", "output": "reports"}),
        ("directory-digest", {"directory": "files", "output": "../stolen"}),
        ("disk-usage-report", {"directory": "/etc", "output": "reports"}),
        ("disk-usage-report", {"directory": "files", "output": "/tmp"}),
        ("sqlite-backup", {"database": "../shop.db", "output": "backups"}),
    ],
)
async def test_a_job_refuses_to_leave_the_data_directory(
    service: Service, name: str, config: dict[str, str]
) -> None:
    status, result = await post(service, name, config)

    assert status == 200
    assert "leads out of the data directory" in result.pop("error")
    assert result == NOTHING_DONE


async def test_a_missing_setting_is_named(service: Service) -> None:
    status, result = await post(service, "directory-digest", {"directory": "files"})

    assert (status, result) == (200, NOTHING_DONE | {"error": "config: output: Field required"})


async def test_a_job_that_breaks_answers_500_with_the_reason(
    service: Service, data: DataDirectory
) -> None:
    (data.root / "shop.db").write_text("this is no database, but long enough to be looked at")

    status, result = await post(
        service, "sqlite-backup", {"database": "shop.db", "output": "backups"}
    )

    assert status == 500
    assert result == NOTHING_DONE | {"error": "DatabaseError: file is not a database"}
    assert list((data.root / "backups").iterdir()) == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"jobName": "directory-digest"}'])
async def test_a_body_that_is_no_job_context_answers_400(service: Service, body: bytes) -> None:
    async with service.post("/api/jobs/directory-digest", data=body) as response:
        assert response.status == 400
        assert (await response.json())["error"].startswith("not a JobContext: ")


async def test_an_unknown_job_answers_404(service: Service) -> None:
    async with service.post("/api/jobs/unknown", json={}) as response:
        assert response.status == 404
