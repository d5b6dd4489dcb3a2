from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from blake3 import blake3

from bundle.errors import FormatError, IntegrityError, LimitError
from bundle.format.manifest import Manifest, Requires
from bundle.limits import MAX_RECIPES, MAX_VOLUMES
from tests.format.samples import (
    sample_artifact,
    sample_manifest,
    sample_release,
    tiny_recipe,
    tiny_recipes,
    tiny_volume,
)

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = sample_manifest()
NO_IDS = f"blake3:{blake3(b'').hexdigest()}"
SOME = f"blake3:{'0' * 64}"


def document() -> Any:  # noqa: ANN401 - JSON
    return json.loads(GOOD.serialize())


def test_a_manifest_is_this_document() -> None:
    found = document()
    volume = tiny_volume()
    assert found["volumes"] == [
        {
            "mediaType": "application/vnd.bundle.volume.v1",
            "digest": f"blake3:{blake3(volume).hexdigest()}",
            "size": len(volume),
            "name": "vol-00001.bdv",
        }
    ]
    assert found["carried"] == [f"blake3:{blake3(tiny_recipe()).hexdigest()}"]
    assert found["requires"] == {"count": 0, "digest": NO_IDS}
    assert [found[name] for name in ("transforms", "parity", "encryption")] == [
        [],
        [],
        None,
    ]
    assert found["bytes"] == len(tiny_recipes()) + len(volume) + 128 + 16
    assert list(found)[:3] == ["format", "features", "release"]


def test_a_manifest_is_read_back() -> None:
    payload = GOOD.serialize()
    assert Manifest.parse(payload) == GOOD
    assert Manifest.parse(payload).serialize() == payload
    for end in range(len(payload)):
        with pytest.raises(FormatError):
            Manifest.parse(payload[:end])
    with pytest.raises(FormatError):
        Manifest.parse(payload + b"\0")


def test_members_that_are_not_known_are_ignored() -> None:
    extended = document()
    extended["more"] = {"x": []}
    for name in ("transforms", "parity", "encryption"):
        del extended[name]
    assert Manifest.parse(json.dumps(extended).encode()) == GOOD


def at(*path: str | int, value: object) -> Callable[[Any], None]:
    """Return what puts ``value`` at a place of a document."""

    def change(found: Any) -> None:  # noqa: ANN401 - JSON
        for key in path[:-1]:
            found = found[key]
        found[path[-1]] = value

    return change


def plus(name: str, more: int) -> Callable[[Any], None]:
    """Return what makes a file larger and counts it."""

    def change(found: Any) -> None:  # noqa: ANN401 - JSON
        found[name]["size"] += more
        found["bytes"] += more

    return change


BAD: dict[str, tuple[Callable[[Any], None], str]] = {
    "a format of the future": (at("format", value=2), "8.2.1"),
    "a feature this reader does not have": (
        at("features", "required", value=["parity"]),
        "8.2.4",
    ),
    "a member that is missing": (lambda found: found.pop("shards"), "9.1.1"),
    "a size in words": (at("shards", "size", value="64"), "9.1.1"),
    "a transform": (at("transforms", value=["gzip"]), "9.1.3"),
    "parity": (at("parity", value=["par-00001.bdp"]), "9.1.3"),
    "encryption": (at("encryption", value={}), "9.1.1"),
    "a release of another type": (at("release", "mediaType", value="a/b"), "9.2.1"),
    "recipes of another type": (at("recipes", "mediaType", value="a/b"), "9.2.1"),
    "shards of another type": (at("shards", "mediaType", value="a/b"), "9.2.1"),
    "an approval of another type": (at("approval", "mediaType", value="a/b"), "9.2.1"),
    "a volume of another type": (at("volumes", 0, "mediaType", value="a/b"), "9.2.1"),
    "contents that are no digest": (at("contents", value="x"), "3.1"),
    "a carried recipe that is no digest": (at("carried", value=["x"]), "3.1"),
    "a recipe carried twice": (at("carried", value=[SOME, SOME]), "9.2.3"),
    "a volume of another name": (at("volumes", 0, "name", value="x"), "9.3.1"),
    "a volume above the directory": (
        at("volumes", 0, "name", value="../vol-00001.bdv"),
        "9.3.1",
    ),
    "a volume of no frames": (at("volumes", 0, "size", value=1300), "9.3.2"),
    "a volume that FAT32 does not take": (
        at("volumes", 0, "size", value=4 << 30),
        "9.3.2",
    ),
    "a shard more than there are": (plus("shards", 32), "9.3.4"),
    "shards that are no whole number": (plus("shards", 1), "9.3.4"),
    "recipes with a shard of their own": (plus("recipes", 1 << 20), "9.3.4"),
    "an approval over 64 MiB": (plus("approval", 64 << 20), "9.3.5"),
    "a byte too many": (at("bytes", value=GOOD.bytes + 1), "9.3.6"),
    "fewer than no ids": (at("requires", "count", value=-1), "9.4.1"),
    "ids without their digest": (at("requires", "count", value=1), "9.4.2"),
    "a digest of no ids": (at("requires", "digest", value=SOME), "9.4.2"),
}


@pytest.mark.parametrize(("change", "rule"), BAD.values(), ids=BAD.keys())
def test_a_manifest_is_refused_for(change: Callable[[Any], None], rule: str) -> None:
    changed = document()
    change(changed)
    with pytest.raises(FormatError) as caught:
        Manifest.parse(json.dumps(changed).encode())
    assert caught.value.rule == rule


def test_volumes_are_numbered_without_a_gap() -> None:
    second = msgspec.structs.replace(GOOD.volumes[0], name="vol-00003.bdv")
    with pytest.raises(FormatError) as caught:
        msgspec.structs.replace(GOOD, volumes=(*GOOD.volumes, second))
    assert caught.value.rule == "9.3.1"


def test_a_bundle_has_a_most_of_everything() -> None:
    digests = tuple(f"blake3:{number:064x}" for number in range(MAX_RECIPES + 1))
    with pytest.raises(LimitError) as recipes:
        msgspec.structs.replace(GOOD, carried=digests)
    assert recipes.value.rule == "9.2.6"
    with pytest.raises(LimitError) as volumes:
        msgspec.structs.replace(GOOD, volumes=GOOD.volumes * (MAX_VOLUMES + 1))
    assert volumes.value.rule == "9.3.3"


def test_a_bundle_is_refused_for_another_release() -> None:
    GOOD.check_release(sample_release())
    other = msgspec.structs.replace(
        sample_artifact(),
        recipe=msgspec.structs.replace(sample_artifact().recipe, digest=SOME),
    )
    with pytest.raises(IntegrityError) as caught:
        GOOD.check_release(sample_release(other))
    assert caught.value.rule == "9.2.2"
    stray = msgspec.structs.replace(GOOD, carried=(SOME,))
    with pytest.raises(IntegrityError) as caught:
        stray.check_release(sample_release())
    assert caught.value.rule == "9.2.5"


def test_required_ids_are_compared_with_their_digest() -> None:
    ids = bytes(32) + b"\1" * 32
    requires = Requires.of(ids)
    assert requires.count == 2
    requires.check(memoryview(ids))
    for other in (ids[:32], ids[::-1], b""):
        with pytest.raises(IntegrityError) as caught:
            requires.check(other)
        assert caught.value.rule == "9.4.3"
