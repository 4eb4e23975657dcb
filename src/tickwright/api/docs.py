"""The reference at /docs: one page made of the OpenAPI document, which loads nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

router = APIRouter()

Json = Mapping[str, Any]
_STYLE = """
:root { color-scheme: light dark; --line: #d5d8de; --soft: #f4f5f7; --quiet: #5b6270; }
@media (prefers-color-scheme: dark) {
  :root { --line: #3a3f48; --soft: #1d2025; --quiet: #a2a9b6; }
}
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
article { border: 1px solid var(--line); border-radius: 8px; padding: 0 1rem; margin: 1rem 0; }
code { font: 0.9em ui-monospace, monospace; overflow-wrap: anywhere; }
h3 b { background: var(--soft); border-radius: 4px; padding: 0.1rem 0.4rem; font-size: 0.8em; }
dl { display: grid; grid-template-columns: minmax(8rem, 1fr) 2fr; gap: 0.2rem 1rem; margin: 0; }
dt, dd { margin: 0; padding: 0.2rem 0; }
dd, small { color: var(--quiet); }
h4 { margin: 1rem 0 0.3rem; }
article > :last-child { margin-bottom: 1rem; }
@media (max-width: 36rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { padding-left: 1rem; } }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """The reference for people."""
    return HTMLResponse(page(request.app.openapi()), headers={"Content-Security-Policy": _POLICY})


def page(document: Json) -> str:
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    return "".join(
        [
            "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
            "<meta name='viewport' content='width=device-width, initial-scale=1'>",
            f"<title>{title}</title><style>{_STYLE}</style></head><body><main>",
            f"<h1>{title}</h1><p>{escape(document['info']['description'])} ",
            "This page is made of <a href='openapi.json'>openapi.json</a>.</p>",
            *_operations(document),
            "<h2>Shapes</h2>",
            *(_shape(name, schema) for name, schema in document["components"]["schemas"].items()),
            "</main></body></html>",
        ]
    )


def _operations(document: Json) -> Iterator[str]:
    seen = None
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tag = operation["tags"][0]
            if tag != seen:
                yield f"<h2>{escape(tag.capitalize())}</h2>"
                seen = tag
            yield _operation(path, method, operation)


def _operation(path: str, method: str, operation: Json) -> str:
    return "".join(
        [
            f"<article id='{escape(operation['operationId'])}'>",
            f"<h3><b>{method.upper()}</b> <code>{escape(path)}</code></h3>",
            f"<p>{escape(operation.get('description') or operation['summary'])}</p>",
            _section("Parameters", [_parameter(each) for each in operation.get("parameters", [])]),
            _section("Body", _contents(operation.get("requestBody", {}))),
            _section("Answers", [_answer(*each) for each in operation["responses"].items()]),
            "</article>",
        ]
    )


def _section(title: str, rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    cells = "".join(f"<dt>{name}</dt><dd>{words}</dd>" for name, words in rows)
    return f"<h4>{title}</h4><dl>{cells}</dl>"


def _parameter(parameter: Json) -> tuple[str, str]:
    where = f"{parameter['in']}{', required' if parameter.get('required') else ''}"
    name = f"<code>{escape(parameter['name'])}</code> <small>{where}</small>"
    return name, _told(parameter["schema"], parameter.get("description"))


def _answer(status: str, response: Json) -> tuple[str, str]:
    kinds = ", ".join(words for _, words in _contents(response))
    return f"<code>{escape(status)}</code> {escape(response['description'])}", kinds


def _contents(holder: Json) -> list[tuple[str, str]]:
    return [
        (f"<code>{escape(media)}</code>", _kind(content["schema"]))
        for media, content in holder.get("content", {}).items()
    ]


def _shape(name: str, schema: Json) -> str:
    required = schema.get("required", [])
    rows = [
        (
            f"<code>{escape(field)}</code>{' <small>required</small>' * (field in required)}",
            _told(each, each.get("description")),
        )
        for field, each in schema.get("properties", {}).items()
    ]
    words = escape(schema.get("description", ""))
    values = "" if rows else f"<p>{_kind(schema)}</p>"
    head = f"<h3><code>{escape(name)}</code></h3><p>{words}</p>"
    return f"<article id='{escape(name)}'>{head}{values}{_section('Fields', rows)}</article>"


def _told(schema: Json, description: str | None) -> str:
    default = schema.get("default")
    parts = [
        _kind(schema),
        "" if default is None else f"(default <code>{escape(json.dumps(default))}</code>)",
        escape(description or ""),
        *(f"<br><code>{escape(json.dumps(each))}</code>" for each in schema.get("examples", [])),
    ]
    return " ".join(part for part in parts if part)


def _kind(schema: Json) -> str:
    """A schema in a few words, with links to the shapes it names."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f"<a href='#{name}'>{name}</a>"
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(_kind(each) for each in schema[several])
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in values)
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return escape(" ".join(filter(None, (schema.get("type", "any JSON"), schema.get("format")))))
