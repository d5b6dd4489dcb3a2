from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from blake3 import blake3

from bundle.errors import BundleError, FormatError, IntegrityError, LimitError
from bundle.format.recipe import Recipe
from bundle.format.release import PREDICATE, STATEMENT, Budgets, Release
from bundle.limits import MAX_RECIPES
from tests.format.samples import (
    rich_recipe,
    sample_artifact,
    sample_release,
    tiny_recipe,
)

if TYPE_CHECKING:
    from collections.abc import Callable

RECIPE_HEX = blake3(tiny_recipe()).hexdigest()


def document(*names: str) -> Any:  # noqa: ANN401 - JSON
    artifacts = [sample_artifact(name) for name in names]
    return json.loads(sample_release(*artifacts).serialize())


def test_a_release_is_an_in_toto_statement() -> None:
    assert document() == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "hf-model/acme/tiny", "digest": {"blake3": RECIPE_HEX}}],
        "predicateType": "urn:bundle:release:v1",
        "predicate": {
            "format": 1,
            "features": {"required": [], "optional": []},
            "stream": {
                "id": "000102030405060708090a0b0c0d0e0f",
                "name": "models-prod",
            },
            "seq": 1,
            "prev": "genesis",
            "audience": ["site-a"],
            "created": "2026-01-31T12:00:00Z",
            "expires": None,
            "trustVersion": {"root": 1, "roles": 1},
            "artifacts": [
                {
                    "kind": "hf-model",
                    "name": "acme/tiny",
                    "source": "https://huggingface.co/acme/tiny",
                    "revision": "3f0c0c1a9d5bb0f0a5b8a6c6f7f7c2a1e0d4b3c2",
                    "recipe": {
                        "mediaType": "application/vnd.bundle.recipe.v1",
                        "digest": f"blake3:{RECIPE_HEX}",
                        "size": len(tiny_recipe()),
                    },
                    "bytes": 18,
                    "files": 2,
                    "chunks": 1,
                    "licence": "apache-2.0",
                    "warnings": [],
                }
            ],
            "budgets": {
                "bytes": 18,
                "files": 2,
                "chunks": 1,
                "depth": 2,
                "nameBytes": 11,
            },
        },
    }


RELEASES = {
    "one artifact": sample_release(),
    "an artifact of two kinds": sample_release(
        sample_artifact("a", "hf-dataset"), sample_artifact("a", "hf-model")
    ),
    "a later one": msgspec.structs.replace(
        sample_release(),
        seq=12,
        prev=f"blake3:{'0' * 64}",
        expires="2027-01-31T12:00:00Z",
        audience=(),
    ),
    "a second one after a first that was never finished": msgspec.structs.replace(
        sample_release(), seq=2
    ),
    "one that emptied its stream": msgspec.structs.replace(
        sample_release(), artifacts=(), budgets=Budgets(0, 0, 0, 0, 0)
    ),
}


@pytest.mark.parametrize("release", RELEASES.values(), ids=RELEASES.keys())
def test_a_release_is_read_back(release: Release) -> None:
    payload = release.serialize()
    assert Release.parse(payload) == release
    assert Release.parse(payload).serialize() == payload
    for end in range(len(payload)):
        with pytest.raises(FormatError):
            Release.parse(payload[:end])
    with pytest.raises(FormatError):
        Release.parse(payload + b"{}")


def test_members_that_are_not_known_are_ignored() -> None:
    extended = document()
    extended["more"] = 1
    extended["predicate"]["more"] = {"x": []}
    extended["predicate"]["artifacts"][0]["more"] = None
    assert Release.parse(json.dumps(extended).encode()) == sample_release()


def at(*path: str | int, value: object) -> Callable[[Any], None]:
    """Return what puts ``value`` at a place of a document."""

    def change(found: Any) -> None:  # noqa: ANN401 - JSON
        for key in path[:-1]:
            found = found[key]
        found[path[-1]] = value

    return change


def inside(*path: str | int, value: object) -> Callable[[Any], None]:
    return at("predicate", *path, value=value)


def artifact(*path: str | int, value: object) -> Callable[[Any], None]:
    return inside("artifacts", 0, *path, value=value)


BAD: dict[str, tuple[Callable[[Any], None], str]] = {
    "another statement": (
        at("_type", value="https://in-toto.io/Statement/v2"),
        "8.1.1",
    ),
    "another predicate": (at("predicateType", value="urn:other"), "8.1.1"),
    "a predicate that is a list": (at("predicate", value=[]), "8.2.1"),
    "a subject too few": (at("subject", value=[]), "8.1.3"),
    "a subject of another name": (at("subject", 0, "name", value="x"), "8.1.3"),
    "a subject of another recipe": (
        at("subject", 0, "digest", "blake3", value="0" * 64),
        "8.1.3",
    ),
    "a subject with a second digest": (
        at("subject", 0, "digest", "sha256", value="0" * 64),
        "8.1.3",
    ),
    "a format of the future": (inside("format", value=2), "8.2.1"),
    "a feature this reader does not have": (
        inside("features", "required", value=["levitation"]),
        "8.2.4",
    ),
    "a stream id in upper case": (inside("stream", "id", value="A" * 32), "8.3.1"),
    "a stream id that is short": (inside("stream", "id", value="a" * 31), "8.3.1"),
    "a stream name that is a path": (inside("stream", "name", value="a/b"), "8.3.2"),
    "number 0": (inside("seq", value=0), "8.3.3"),
    "a number in words": (inside("seq", value="1"), "8.1.2"),
    "a first release after another": (
        inside("prev", value=f"blake3:{'0' * 64}"),
        "8.3.4",
    ),
    "a site that is no slug": (inside("audience", value=["Site A"]), "8.3.5"),
    "a site twice": (inside("audience", value=["a", "a"]), "8.3.5"),
    "root version 0": (inside("trustVersion", "root", value=0), "8.3.6"),
    "roles version 0": (inside("trustVersion", "roles", value=0), "8.3.6"),
    "a creation time with a fraction": (
        inside("created", value="2026-01-31T12:00:00.0Z"),
        "8.3.7",
    ),
    "an expiry without a zone": (inside("expires", value="2027-01-31"), "8.3.7"),
    "an expiry at its creation": (
        inside("expires", value="2026-01-31T12:00:00Z"),
        "8.3.8",
    ),
    "a member that is missing": (lambda found: found["predicate"].pop("prev"), "8.1.2"),
    "a kind that is no slug": (artifact("kind", value="HF model"), "8.4.1"),
    "a name that leads out": (artifact("name", value="../x"), "8.4.2"),
    "a recipe of another type": (
        artifact("recipe", "mediaType", value="text/markdown"),
        "8.4.3",
    ),
    "fewer than no files": (artifact("files", value=-1), "8.4.4"),
    "a source that moves the cursor": (artifact("source", value="\x1b[2J"), "8.4.5"),
    "a revision with a newline": (artifact("revision", value="a\nb"), "8.4.5"),
    "a licence that turns the text": (artifact("licence", value="\u202e"), "8.4.5"),
    "a warning with a zero byte": (artifact("warnings", value=["\0"]), "8.4.5"),
    "a warning of 4 KiB and a byte": (
        artifact("warnings", value=["w" * 4097]),
        "8.4.5",
    ),
    "a budget below the sum": (inside("budgets", "bytes", value=17), "8.5.1"),
    "a budget above the sum": (inside("budgets", "files", value=3), "8.5.1"),
    "paths that are too deep": (inside("budgets", "depth", value=65), "8.5.2"),
    "names that are too long": (inside("budgets", "nameBytes", value=256), "8.5.2"),
}


@pytest.mark.parametrize(("change", "rule"), BAD.values(), ids=BAD.keys())
def test_a_release_is_refused_for(change: Callable[[Any], None], rule: str) -> None:
    changed = document()
    change(changed)
    with pytest.raises(FormatError) as caught:
        Release.parse(json.dumps(changed).encode())
    assert caught.value.rule == rule


UNSORTED = {
    "artifacts out of order": ("b", "a"),
    "an artifact twice": ("a", "a"),
    "names that collide": ("A", "a"),
}


@pytest.mark.parametrize("names", UNSORTED.values(), ids=UNSORTED.keys())
def test_a_release_is_not_made_of(names: tuple[str, ...]) -> None:
    with pytest.raises(FormatError) as caught:
        sample_release(*map(sample_artifact, names))
    assert caught.value.rule == "8.4.6"


def test_a_release_has_a_most_of_artifacts() -> None:
    with pytest.raises(LimitError) as caught:
        sample_release(*[sample_artifact()] * (MAX_RECIPES + 1))
    assert caught.value.rule == "8.4.8"


def test_what_is_not_the_json_of_this_format_is_refused() -> None:
    payload = sample_release().serialize()
    for changed in (
        payload.replace(b'"seq":1', b'"seq":1.0'),
        payload.replace(b'"seq":1', b'"seq":1,"seq":1'),
        b"\xef\xbb\xbf" + payload,
        b"[" * 100 + payload + b"]" * 100,
    ):
        with pytest.raises(FormatError) as caught:
            Release.parse(changed)
        assert caught.value.rule == "2.5"


def test_a_feature_that_the_reader_knows_is_accepted() -> None:
    changed = document()
    changed["predicate"]["features"]["required"] = ["levitation"]
    data = json.dumps(changed).encode()
    assert Release.parse(data, known={"levitation"}).features.required == (
        "levitation",
    )


def test_contents_depend_on_recipes_alone() -> None:
    release = sample_release(sample_artifact("a"), sample_artifact("b"))
    digest = blake3(tiny_recipe()).digest()
    assert release.contents.raw == blake3(digest * 2).digest()
    later = msgspec.structs.replace(release, created="2026-02-01T00:00:00Z")
    assert later.contents == release.contents


PROMISES: dict[str, tuple[dict[str, int], dict[str, int], type[BundleError], str]] = {
    "a byte more": ({"bytes": 19}, {}, IntegrityError, "8.4.7"),
    "a file less": ({"files": 1}, {}, IntegrityError, "8.4.7"),
    "no chunks": ({"chunks": 0}, {}, IntegrityError, "8.4.7"),
    "one level": ({}, {"depth": 1}, LimitError, "8.5.3"),
    "shorter names": ({}, {"name_bytes": 10}, LimitError, "8.5.3"),
}


@pytest.mark.parametrize(
    ("promise", "budget", "error", "rule"), PROMISES.values(), ids=PROMISES.keys()
)
def test_a_recipe_is_refused_when_the_release_promises(
    promise: dict[str, int], budget: dict[str, int], error: type[Exception], rule: str
) -> None:
    recipe = Recipe.parse(tiny_recipe())
    release = sample_release()
    release.artifacts[0].check_recipe(recipe, release.budgets)
    promised = msgspec.structs.replace(release.artifacts[0], **promise)
    budgets = msgspec.structs.replace(release.budgets, **budget)
    with pytest.raises(error) as caught:
        promised.check_recipe(recipe, budgets)
    assert getattr(caught.value, "rule", None) == rule


def test_another_recipe_is_refused() -> None:
    with pytest.raises(IntegrityError):
        sample_artifact().check_recipe(
            Recipe.parse(rich_recipe()), sample_release().budgets
        )


def test_the_names_of_the_statement_are_fixed() -> None:
    assert (STATEMENT, PREDICATE) == (
        "https://in-toto.io/Statement/v1",
        "urn:bundle:release:v1",
    )
