"""How what was read is written again, for the kinds that have one way to write it."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import numpy as np

from bundle.digest import Digest
from bundle.format.ending import serialize_ending
from bundle.format.frame import frame_size, parse_frame, serialize_frame
from bundle.format.index import VolumeIndex, serialize_index
from bundle.format.parity import parse_parity_header, serialize_parity_header
from bundle.format.recipe import Recipe
from bundle.format.recipes import Recipes, serialize_recipes
from bundle.format.shards import Shards, serialize_shards
from bundle.format.volume import (
    parse_volume_header,
    parse_volume_tail,
    serialize_volume_header,
    serialize_volume_tail,
)
from bundle.format.want import Want
from bundle.trust.envelope import parse_detached
from bundle.trust.keys import PublicKey
from bundle.wire import read_moment, write_json, write_moment
from tests.format.samples import rebuilt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def volume_header(data: bytes) -> bytes:
    return serialize_volume_header(parse_volume_header(data))


def frame(data: bytes) -> bytes:
    header = parse_frame(data)
    return b"".join(serialize_frame(header, data[header.table_end :]))


def index(data: bytes) -> bytes:
    found = VolumeIndex.parse(data)
    return serialize_index(
        np.ascontiguousarray(found.ids),
        found.frame_offsets,
        found.plain_offsets,
        found.lengths,
    )


def volume(data: bytes) -> bytes:
    tail = parse_volume_tail(data[-64:], len(data))
    made, frames = volume_header(data[:64]), []
    while len(made) < tail.index_offset:
        here = data[len(made) :]
        one = here[: frame_size(here)]
        frames.append((len(made), parse_frame(one)))
        made += frame(one)
    assert len(frames) == tail.frames
    return made + serialize_ending(frames, len(made))


def tail(data: bytes) -> bytes:
    size = int.from_bytes(data[8:16], "little")
    chunks = int.from_bytes(data[20:24], "little")
    found = parse_volume_tail(data, size + 1024 + 48 * chunks + 64)
    return serialize_volume_tail(found)


def recipes(data: bytes) -> bytes:
    found = Recipes.parse(data)
    held = [found.read(entry) for entry in found.entries]
    return b"".join(serialize_recipes(found.contents, held, found.required))


def signature(data: bytes) -> bytes:
    found = parse_detached(data)
    text = b64encode(found.raw).decode()
    return write_json({"keyid": found.keyid, "sig": text})


WRITERS: Mapping[str, Callable[[bytes], bytes]] = {
    "digest": lambda data: str(Digest.parse(data.decode())).encode(),
    "time": lambda data: write_moment(
        read_moment(data.decode(), rule="8.3.7")
    ).encode(),
    "key": lambda data: PublicKey.parse(data.decode()).raw.hex().encode(),
    "signature": signature,
    "shards": lambda data: serialize_shards(Shards.parse(data).digests.tobytes()),
    "volume_header": volume_header,
    "frame": frame,
    "index": index,
    "tail": tail,
    "volume": volume,
    "chunk": volume,
    "recipe": lambda data: rebuilt(Recipe.parse(data)),
    "recipes": recipes,
    "parity_record": lambda data: serialize_parity_header(parse_parity_header(data)),
    "want": lambda data: Want.parse(data).serialize(),
}
