"""Releases as documents: the example of chapter 8, and ways to change it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from spec.vectors.generator.binary import b3
from spec.vectors.generator.samples import TINY, TINY_RECIPE

if TYPE_CHECKING:
    from collections.abc import Sequence


STREAM: Final = "000102030405060708090a0b0c0d0e0f"


CREATED: Final = "2026-01-31T12:00:00Z"


JSON: TypeAlias = "dict[str, Any]"


def digest(data: bytes) -> str:
    """Return the text of a digest."""
    return f"blake3:{b3(data).hex()}"


def artifact(**changes: Any) -> JSON:
    """Return the artifact of the example in chapter 8, changed."""
    members = {
        "kind": "hf-model",
        "name": "acme/tiny",
        "source": "https://huggingface.co/acme/tiny",
        "revision": "3f0c0c1a9d5bb0f0a5b8a6c6f7f7c2a1e0d4b3c2",
        "recipe": {
            "mediaType": "application/vnd.bundle.recipe.v1",
            "digest": digest(TINY_RECIPE),
            "size": len(TINY_RECIPE),
        },
        "bytes": sum(len(file.content) for file in TINY),
        "files": 2,
        "chunks": 1,
        "licence": "apache-2.0",
        "warnings": [],
    }
    return members | changes


def release(artifacts: Sequence[JSON] | None = None, **changes: Any) -> JSON:
    """Return the statement of chapter 8's example; changes are of its predicate."""
    held = [artifact()] if artifacts is None else list(artifacts)
    predicate = {
        "format": 1,
        "features": {"required": [], "optional": []},
        "stream": {"id": STREAM, "name": "models-prod"},
        "seq": 1,
        "prev": "genesis",
        "audience": ["site-a"],
        "created": CREATED,
        "expires": None,
        "trustVersion": {"root": 1, "roles": 1},
        "artifacts": held,
        "budgets": {
            **{
                name: sum(one[name] for one in held)
                for name in ("bytes", "files", "chunks")
            },
            "depth": 2,
            "nameBytes": 11,
        },
    }
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {
                "name": f"{one['kind']}/{one['name']}",
                "digest": {"blake3": one["recipe"]["digest"][7:]},
            }
            for one in held
        ],
        "predicateType": "urn:bundle:release:v1",
        "predicate": predicate | changes,
    }


def contents(document: JSON) -> str:
    """Return the contents (8.6) of a release."""
    held = document["predicate"]["artifacts"]
    raw = (bytes.fromhex(one["recipe"]["digest"][7:]) for one in held)
    return digest(b"".join(raw))


def at(document: JSON, path: str) -> tuple[Any, Any]:
    """Return the object or array that holds ``path`` and the name or number in it."""
    *above, last = (int(name) if name.isdigit() else name for name in path.split("."))
    for name in above:
        document = document[name]  # type: ignore[index]  # numbers index arrays
    return document, last


def without(document: JSON, path: str) -> JSON:
    """Return the document without one member."""
    changed = copy.deepcopy(document)
    holder, last = at(changed, path)
    del holder[last]
    return changed


def replaced(document: JSON, path: str, value: Any) -> JSON:
    """Return the document with one member changed."""
    changed = copy.deepcopy(document)
    holder, last = at(changed, path)
    holder[last] = value
    return changed
