"""Runs whose work is a POST to a service; what is read of its answer is always bounded."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import timedelta
from importlib import metadata
from typing import Any
from urllib.parse import quote, unquote

import aiohttp
from yarl import URL

from tickwright.model.errors import InvalidInput
from tickwright.model.json import JsonObject, dumps
from tickwright.model.run import Cause, Claimed, Failed, Outcome
from tickwright.model.storable import storable_text
from tickwright.model.timestamps import to_rfc3339
from tickwright.targets._fields import text_fields
from tickwright.targets._http_answer import Answer, outcome_of

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024
MAX_ENDPOINT_LENGTH = 2000
CONNECT_TIMEOUT = timedelta(seconds=10)
CONNECTIONS_PER_HOST = 100
# Shorter than any common server keeps an idle connection (gunicorn: 2 s, Node: 5 s), because
# a POST on a connection that the server is closing fails, and cannot be repeated blindly.
IDLE_CONNECTION = timedelta(seconds=1.5)

_SERVICE = re.compile(r"[A-Za-z0-9_-]{1,100}")
_VARIABLE = re.compile(r"([A-Z0-9_]{1,100})_URL")
_OUR_OWN = re.compile(r"TICKWRIGHT_.*|FRONTEND|JWKS|SUPABASE")
_TRIGGERED_BY = {Cause.MANUAL: "manual", Cause.ADMIN: "admin"}


def services_from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The base URL of every `<NAME>_URL` that holds one, by NAME; our own settings left out."""
    services = {}
    for variable, value in environ.items():
        match = _VARIABLE.fullmatch(variable)
        if match is None or _OUR_OWN.fullmatch(match[1]):
            continue
        if not value.strip().lower().startswith(("http://", "https://")):
            continue
        try:
            _base_url(variable, value)
        except InvalidInput as error:
            log.warning("%s names no service: it %s", variable, error.reason)
        else:
            services[match[1]] = value.strip()
    return services


class HttpTarget:
    """Sends seed 003's JobContext to an endpoint of a service the operator has given an address."""

    type = "http"

    def __init__(self, services: Mapping[str, str]) -> None:
        self._bases = {
            _normalised(name): _base_url(f"services.{name}", url) for name, url in services.items()
        }
        self._open_session: aiohttp.ClientSession | None = None

    def check(self, target: JsonObject) -> dict[str, Any]:
        service, endpoint = text_fields(target, self.type, "service", "endpoint")
        self._base(service)
        _check_endpoint(endpoint)
        return {"type": self.type, "service": service, "endpoint": endpoint}

    async def open(self) -> None:
        self._open_session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                limit_per_host=CONNECTIONS_PER_HOST,
                keepalive_timeout=IDLE_CONNECTION.total_seconds(),
            ),
            timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT.total_seconds()),
            headers={
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": f"tickwright/{_version()}",
            },
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        )

    async def close(self) -> None:
        if self._open_session is not None:
            await self._open_session.close()
            self._open_session = None

    async def deliver(self, run: Claimed) -> Outcome:
        try:
            url = self._url(run.target)
        except InvalidInput as error:
            return Failed(str(error), retryable=False)
        body, headers = _body(run), _headers(run)
        try:
            answer = await self._post(url, body, headers)
        # A host name that cannot be encoded is a UnicodeError to the resolver.
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            return Failed(
                f"no answer from {url.host_subcomponent}:{url.port}: {_words(error)}",
                ambiguous=not isinstance(error, aiohttp.ClientConnectorError | UnicodeError),
            )
        return outcome_of(answer)

    async def _post(self, url: URL, body: bytes, headers: dict[str, str]) -> Answer:
        if self._open_session is None:
            raise RuntimeError("the http target is not open")
        # Leaving the block closes the connection when more of the answer is still to come.
        async with self._open_session.post(
            url, data=body, headers=headers, allow_redirects=False
        ) as response:
            kept = await _first_bytes(response.content, MAX_BODY_BYTES)
            return Answer(
                status=response.status,
                reason=response.reason or "",
                body=kept,
                coding=response.headers.get("Content-Encoding", ""),
                retry_after=response.headers.get("Retry-After", ""),
            )

    def _url(self, target: JsonObject) -> URL:
        checked = self.check(target)
        base = self._base(checked["service"])
        return URL(f"{str(base).rstrip('/')}{checked['endpoint']}")

    def _base(self, service: str) -> URL:
        if not _SERVICE.fullmatch(service):
            raise InvalidInput("target.service", "must have 1 to 100 of A-Z, a-z, 0-9, _ and -")
        name = _normalised(service)
        if name not in self._bases:
            reason = f"no address is known for {service!r}; set {name}_URL"
            raise InvalidInput("target.service", reason)
        return self._bases[name]


def _normalised(service: str) -> str:
    return service.upper().replace("-", "_")


def _base_url(field: str, text: str) -> URL:
    try:
        url = URL(text.strip())
        usable = url.scheme in ("http", "https") and url.host and url.port
    except ValueError:
        usable = False
    if not usable or not text.strip().isprintable():
        raise InvalidInput(field, "must be an http or https URL")
    if url.raw_query_string or url.raw_fragment:
        raise InvalidInput(field, "must be a URL without query and fragment")
    return url


def _check_endpoint(endpoint: str) -> None:
    """Refuse what would leave the service's address, or what no server would ever be sent."""
    if not endpoint.startswith("/") or endpoint.startswith("//"):
        raise InvalidInput("target.endpoint", "must begin with one '/'")
    if len(endpoint) > MAX_ENDPOINT_LENGTH:
        reason = f"must have at most {MAX_ENDPOINT_LENGTH} characters"
        raise InvalidInput("target.endpoint", reason)
    path = unquote(endpoint.partition("?")[0])
    if not endpoint.isprintable() or not path.isprintable() or "\\" in path or "#" in endpoint:
        reason = "must hold neither control characters nor '\\' nor '#'"
        raise InvalidInput("target.endpoint", reason)
    if {".", ".."} & set(path.split("/")):
        raise InvalidInput("target.endpoint", "must hold no '.' or '..' as a part of its path")


def _body(run: Claimed) -> bytes:
    context: dict[str, Any] = {
        "jobName": run.schedule_key or run.job_key,
        "config": dict(run.payload),
        "executionId": str(run.id),
        "triggeredBy": _TRIGGERED_BY.get(run.cause, "scheduler"),
    }
    if run.triggered_by:
        context["triggeredByUser"] = run.triggered_by
    return dumps(context).encode()


def _headers(run: Claimed) -> dict[str, str]:
    key = run.idempotency_key
    plain = key.isascii() and key.isprintable()
    return {
        "Idempotency-Key": key if plain else quote(key, safe=":/*@", errors="replace"),
        "X-Scheduler-Execution-Id": str(run.id),
        "X-Scheduler-Attempt": str(run.attempt),
        "X-Scheduler-Nominal": to_rfc3339(run.nominal_at),
    }


async def _first_bytes(content: aiohttp.StreamReader, limit: int) -> bytes:
    kept = bytearray()
    while len(kept) < limit and (piece := await content.read(limit - len(kept))):
        kept += piece
    return bytes(kept)


def _words(error: Exception) -> str:
    """Why there was no answer; never str(error), which may hold the URL and its password."""
    if isinstance(error, OSError) and error.strerror:
        words = error.strerror
    elif isinstance(error, aiohttp.ClientResponseError):
        words = f"not HTTP: {error.message}"
    elif isinstance(error, aiohttp.ServerDisconnectedError):
        words = "the connection was closed"
    elif isinstance(error, aiohttp.ClientPayloadError):
        words = "the connection was closed in the middle of the answer"
    else:
        words = type(error).__name__
    return storable_text(words, 500)


def _version() -> str:
    try:
        return metadata.version("tickwright")
    except metadata.PackageNotFoundError:
        return "0"
