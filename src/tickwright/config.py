"""Settings from keyword arguments and the environment; read by bootstrap and cli only."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

DEFAULT_DATABASE_URL = "sqlite:///tickwright.db"


def _named(name: str, *aliases: str) -> AliasChoices:
    return AliasChoices(f"TICKWRIGHT_{name}", name.lower(), *aliases)


class Settings(BaseSettings):
    """How one process of Tickwright behaves. Keyword arguments win over the environment."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    database_url: str = Field(
        DEFAULT_DATABASE_URL,
        validation_alias=_named("DATABASE_URL", "DATABASE_URL", "POSTGRES_URL"),
        description="Where everything is kept: sqlite:///file or postgresql://user@host/name.",
    )
    auto_migrate: bool | None = Field(
        None,
        validation_alias=_named("AUTO_MIGRATE"),
        description="Migrate at start. By default on SQLite only.",
    )
    host: str = Field(
        "127.0.0.1",
        validation_alias=_named("HOST", "HOST"),
        description="Address the service listens on.",
    )
    port: int = Field(
        8080,
        ge=0,
        le=65535,
        validation_alias=_named("PORT", "PORT"),
        description="Port the service listens on.",
    )
    insecure: bool = Field(
        False,
        validation_alias=_named("INSECURE"),
        description="Listen beyond loopback although nobody is asked who they are.",
    )
    frontend_url: str | None = Field(
        None,
        validation_alias=_named("FRONTEND_URL", "FRONTEND_URL"),
        description="Origin that browsers may call the API from (CORS).",
    )
    log_level: str = Field(
        "info",
        validation_alias=_named("LOG_LEVEL", "LOG_LEVEL"),
        description="Lowest level that is logged: debug, info, warning or error.",
    )
    default_tenant: str = Field(
        "default",
        validation_alias=_named("DEFAULT_TENANT"),
        description="The tenant that requests act for while there is no identity.",
    )
    default_timezone: str = Field(
        "UTC",
        validation_alias=_named("DEFAULT_TIMEZONE", "DEFAULT_TZ"),
        description="IANA zone of rules that do not name one.",
    )
    calendars_path: Path | None = Field(
        None,
        validation_alias=_named("CALENDARS_PATH"),
        description="File or folder of the system's calendars: <key>.json, .yaml or .ics.",
    )
    queues: Annotated[tuple[str, ...], NoDecode] = Field(
        ("default",),
        min_length=1,
        validation_alias=_named("QUEUES"),
        description="Queues this process takes runs from, separated by commas.",
    )
    slots: int = Field(
        100,
        ge=1,
        le=10_000,
        validation_alias=_named("SLOTS"),
        description="Runs that execute at once in this process.",
    )
    threads: int | None = Field(
        None,
        ge=1,
        le=10_000,
        validation_alias=_named("THREADS"),
        description="Threads for handlers that are not async; by default as many as slots.",
    )
    pool_size: int = Field(
        10,
        ge=2,
        le=1000,
        validation_alias=_named("POOL_SIZE"),
        description="Database connections of this process (PostgreSQL).",
    )
    poll_interval_ms: int = Field(
        30_000,
        ge=100,
        validation_alias=_named("POLL_INTERVAL_MS", "SCHEDULER_POLL_INTERVAL_MS"),
        description="Longest sleep between two looks at the database, in milliseconds.",
    )
    lease_seconds: float = Field(
        45,
        ge=1,
        validation_alias=_named("LEASE_SECONDS"),
        description="How long a worker may be silent before its runs are taken back.",
    )
    sweep_seconds: float = Field(
        5,
        gt=0,
        validation_alias=_named("SWEEP_SECONDS"),
        description="How often every process looks for silent workers.",
    )
    grace_seconds: float = Field(
        30,
        ge=0,
        validation_alias=_named("GRACE_SECONDS"),
        description="How long running work may go on after SIGTERM.",
    )
    watchdog_seconds: float = Field(
        60,
        ge=0,
        validation_alias=_named("WATCHDOG_SECONDS"),
        description="How long a command's event loop may stand still before its process ends itself"
        " with exit code 70; 0 is for ever.",
    )
    retention_days: float = Field(
        7,
        gt=0,
        validation_alias=_named("RETENTION_DAYS", "RUN_RETENTION_DAYS"),
        description="How long ended runs are kept; statistics stay.",
    )
    retention_runs: int = Field(
        1000,
        ge=0,
        le=1_000_000,
        validation_alias=_named("RETENTION_RUNS"),
        description="How many runs of each schedule are kept; 0 is all.",
    )
    queue_strategy: Literal["local"] = Field(
        "local",
        validation_alias=_named("QUEUE_STRATEGY", "QUEUE_STRATEGY"),
        description="How runs reach workers: `local` claims them from the database.",
    )

    @field_validator("queues", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @property
    def poll(self) -> timedelta:
        return timedelta(milliseconds=self.poll_interval_ms)

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.lease_seconds)

    @property
    def watchdog(self) -> timedelta:
        return timedelta(seconds=self.watchdog_seconds)
