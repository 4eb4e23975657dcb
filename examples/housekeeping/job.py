"""What a job is: its work, and the fields by which the scheduler learns of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from .contract import JobResult
from .data_directory import DataDirectory

Work = Callable[[Mapping[str, object], DataDirectory, datetime], JobResult]


@dataclass(frozen=True, kw_only=True)
class Job:
    name: str
    display_name: str
    description: str
    cron_expression: str
    job_type: str
    config: Mapping[str, object]
    work: Work

    def registration(self) -> dict[str, object]:
        return {
            "name": self.name,
            "displayName": self.display_name,
            "description": self.description,
            "cronExpression": self.cron_expression,
            "enabled": True,
            "jobType": self.job_type,
            "service": "housekeeping-service",
            "endpoint": f"/api/jobs/{self.name}",
            "config": dict(self.config),
        }
