"""The OpenAPI document: what FastAPI derives, with errors as the problem documents they are."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.routing import compile_path

_PROBLEM = "#/components/schemas/Problem"
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
                _correct_answers(operation["responses"])
                _correct_parameters(operation.get("parameters", []))
        for name in _NOT_OURS:
            document["components"]["schemas"].pop(name, None)
        app.openapi_schema = document
    return app.openapi_schema


def _correct_answers(responses: dict[str, Any]) -> None:
    for status, response in list(responses.items()):
        content = response.get("content", {})
        reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
        if reference == _PROBLEM:
            content["application/problem+json"] = content.pop("application/json")
        if reference.rpartition("/")[2] in _NOT_OURS:
            del responses[status]


def _correct_parameters(parameters: list[dict[str, Any]]) -> None:
    """A parameter is absent or a text, never null."""
    for parameter in parameters:
        schema = parameter["schema"]
        kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
        if len(kinds) == 1:
            del schema["anyOf"]
            schema.update(kinds[0])


def methods_at(request: Request) -> list[str]:
    """What may be done at the path of `request`."""
    root: str = request.scope.get("root_path", "")
    path = request.scope["path"].removeprefix(root)
    return [
        method.upper()
        for template, operations in describe(request.app)["paths"].items()
        if compile_path(template)[0].match(path)
        for method in operations
    ]
