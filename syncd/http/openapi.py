"""The description of the API (OpenAPI 3.1), and the bodies that it takes."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from syncd.operations import MAX_REASON
from syncd.view import Status

PREFIX: Final = "/api/v1"

Name = Annotated[str, Meta(min_length=1, max_length=128)]


class Retry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Look at a bundle again; its digest as the status has it, or its beginning."""

    bundle: Name


class Rollback(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Publish an earlier release of a stream, by its name or id, again."""

    stream: Name
    seq: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    reason: Annotated[str, Meta(min_length=1, max_length=MAX_REASON)]


class Reconcile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hash what a target has and restore it; without a name, all of them."""

    target: Name | None = None


class Kept(msgspec.Struct, frozen=True):
    """A file that is kept, by its name in the bundle."""

    kept: str


class Taken(msgspec.Struct, frozen=True):
    """Chunks that were taken, and the bytes of their frames."""

    chunks: int
    bytes: int


class Pushed(msgspec.Struct, frozen=True):
    """What became of a bundle that was pushed."""

    phase: str
    need: str | None
    reason: str
    advice: str


class Problem(msgspec.Struct, frozen=True):
    """What was wrong (RFC 9457)."""

    title: str
    status: int
    detail: str = ""


class Accepted(msgspec.Struct, frozen=True):
    """It will be done."""

    accepted: bool


_BODIES: Final = (
    *(Status, Retry, Rollback, Reconcile),
    *(Kept, Taken, Pushed, Problem, Accepted),
)


def document() -> dict[str, Any]:
    """Return the document, as plain values."""
    _, schemas = msgspec.json.schema_components(
        _BODIES, ref_template="#/components/schemas/{name}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "syncd",
            "version": "1",
            "description": "What a daemon behind an air gap has, and what it is asked.",
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
        "paths": {
            "/healthz": {"get": _anyone("Whether the process goes round")},
            "/readyz": {"get": _anyone("Whether journal and store can be used", 503)},
            "/metrics": {"get": _known("Metrics for Prometheus", "text/plain")},
            f"{PREFIX}/openapi.json": {"get": _anyone("This document")},
            f"{PREFIX}/status": {"get": _known("How things stand", schema="Status")},
            f"{PREFIX}/receipt": {"get": _known("The newest receipt", None, 404)},
            f"{PREFIX}/retry": {"post": _asked("Look at a bundle again", "Retry")},
            f"{PREFIX}/rollback": {
                "post": _asked("Publish an earlier release again", "Rollback")
            },
            f"{PREFIX}/reconcile": {
                "post": _asked("Hash what targets have and restore it", "Reconcile")
            },
            **_push(f"{PREFIX}/push/{{bundle}}"),
        },
    }


def _push(path: str) -> dict[str, Any]:
    """Return the paths for bundles over the network (spec §95)."""
    bundle = _parameter("bundle", "BLAKE3 of bundle.json", "^[0-9a-f]{64}$")
    name = _parameter("name", "A file of the bundle; it may have one slash", "^.+$")
    lacks = _pushed("Which chunks lack", 200, "application/octet-stream")
    lacks["responses"]["204"] = {"description": "None lacks"}
    return {
        path: {
            "parameters": [bundle],
            "get": _pushed("What became of it", 200, schema="Pushed"),
        },
        f"{path}/files/{{name}}": {
            "parameters": [bundle, name],
            "put": _uploaded("Keep a small file", "Kept"),
        },
        f"{path}/lacks": {"parameters": [bundle], "get": lacks},
        f"{path}/frames": {
            "parameters": [bundle],
            "post": _uploaded("Take frames that have what lacks", "Taken"),
        },
        f"{path}/commit": {
            "parameters": [bundle],
            "post": _pushed("Read it now that more is here", 202, schema="Accepted"),
        },
    }


def _parameter(name: str, about: str, pattern: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": about,
        "schema": {"type": "string", "pattern": pattern},
    }


def _pushed(
    summary: str,
    code: int,
    media_type: str = "application/json",
    schema: str | None = None,
) -> dict[str, Any]:
    return {
        "summary": summary,
        "security": [{"bearer": []}, {"basic": []}],
        "responses": {
            str(code): _content(summary, media_type, schema),
            **_problems(400, 401, 403, 404, 408, 409, 413, 421),
        },
    }


def _uploaded(summary: str, schema: str) -> dict[str, Any]:
    binary: dict[str, Any] = {"application/octet-stream": {"schema": {}}}
    return {
        **_pushed(summary, 201, schema=schema),
        "requestBody": {"required": True, "content": binary},
    }


def _anyone(summary: str, *problems: int) -> dict[str, Any]:
    return {
        "summary": summary,
        "security": [],
        "responses": {"200": _content(summary), **_problems(421, *problems)},
    }


def _known(
    summary: str,
    media_type: str | None = "application/json",
    *problems: int,
    schema: str | None = None,
) -> dict[str, Any]:
    media_type = media_type or "application/json"
    return {
        "summary": summary,
        "security": [{"bearer": []}, {"basic": []}],
        "responses": {
            "200": _content(summary, media_type, schema),
            **_problems(401, 403, 409, 421, *problems),
        },
    }


def _asked(summary: str, schema: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "security": [{"bearer": []}, {"basic": []}],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _reference(schema)}},
        },
        "responses": {
            "202": _content("It will be done", schema="Accepted"),
            **_problems(400, 401, 403, 408, 409, 413, 415, 421),
        },
    }


def _content(
    about: str, media_type: str = "application/json", schema: str | None = None
) -> dict[str, Any]:
    shape = {} if schema is None else {"schema": _reference(schema)}
    return {"description": about, "content": {media_type: shape}}


def _problems(*codes: int) -> dict[str, Any]:
    return {
        str(code): _content("A problem", "application/problem+json", "Problem")
        for code in codes
    }


def _reference(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}
