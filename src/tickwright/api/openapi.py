"""The OpenAPI document: what FastAPI derives, with errors as the problem documents they are."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel

from tickwright.api.errors import Problem

_PROBLEM = f"#/components/schemas/{Problem.__name__}"
_NOT_OURS = ("HTTPValidationError", "ValidationError")


def operation_id(route: APIRoute) -> str:
    """The name of its function, which is unique and outlives its path."""
    return to_camel(route.name)


def describe(app: FastAPI) -> dict[str, Any]:
    """The document of `app`, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            openapi_version=app.openapi_version,
            routes=app.routes,
        )
        for path in document["paths"].values():
            for operation in path.values():
                _correct(operation["responses"])
        for name in _NOT_OURS:
            document["components"]["schemas"].pop(name, None)
        app.openapi_schema = document
    return app.openapi_schema


def _correct(responses: dict[str, Any]) -> None:
    for status, response in list(responses.items()):
        content = response.get("content", {})
        reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
        if reference == _PROBLEM:
            content["application/problem+json"] = content.pop("application/json")
        if reference.rpartition("/")[2] in _NOT_OURS:
            del responses[status]
