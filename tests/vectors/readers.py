"""How each kind of vector goes through the readers of this package.

A reader takes a vector and an empty directory and returns what it found, in the
form of the vector's ``value``; it raises what the package raises.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bundle.codec.codec import Decoder
from bundle.codec.erasure import PlainEncoder
from bundle.digest import Digest, digest_of
from bundle.format.descriptor import Descriptor
from bundle.format.frame import parse_frame
from bundle.format.index import VolumeIndex
from bundle.format.manifest import Manifest
from bundle.format.parity import parse_parity_head, parse_parity_header
from bundle.format.recipe import Recipe, SegmentKind
from bundle.format.recipes import Recipes
from bundle.format.release import Release
from bundle.format.shards import Shards
from bundle.format.stream import Entry, entry_name
from bundle.format.volume import parse_volume_header, parse_volume_tail
from bundle.format.want import Want, want_name
from bundle.oci import manifests as images
from bundle.oci.references import Reference
from bundle.paths import check_distinct, check_path, check_slug
from bundle.wire import parse_json, read_json, read_moment, write_json
from spec.vectors.generator.container import Vector, joined
from tests.vectors import directories, trust

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bundle.format.columns import Bytes, Words
    from bundle.format.recipe import Segment

SHOWN = 1 << 10
"""Bytes that a value shows; of more it has size and digest."""


def body(vector: Vector) -> bytes:
    """Return the bytes of a vector that is not a set of files."""
    assert isinstance(vector.body, bytes | tuple)
    return joined(vector.body)


def text(vector: Vector) -> str:
    """Return the body as text; what is not UTF-8 stays visible to a reader."""
    return body(vector).decode("utf-8", "surrogateescape")


def read_slug(vector: Vector) -> None:
    check_slug(text(vector), rule="2.2")


def read_path(vector: Vector) -> None:
    check_path(text(vector), rule="2.3")


def read_paths(vector: Vector) -> None:
    found = parse_json(body(vector), limit=SHOWN, rule="2.5")
    for path in [*found["files"], *found["directories"]]:
        check_path(path, rule="2.3")
    check_distinct(found["files"], found["directories"], rule="2.4")


def read_digest(vector: Vector) -> dict[str, Any]:
    found = Digest.parse(text(vector))
    named = bytes.fromhex((vector.value or {})["names"])
    return {"names": named.hex() if digest_of(named) == found else None}


def read_time(vector: Vector) -> dict[str, Any]:
    return {"seconds": read_moment(text(vector), rule="8.3.7")}


def read_document(vector: Vector) -> dict[str, Any]:
    limit = vector.given["limit"]
    return {"document": parse_json(body(vector), limit=limit, rule="2.5")}


def read_descriptor(vector: Vector) -> Any:  # noqa: ANN401 - JSON
    found = read_json(body(vector), Descriptor, limit=SHOWN, rule="2.5")
    return json.loads(write_json(found))


def read_reference(vector: Vector) -> dict[str, Any]:
    found = Reference.parse(text(vector))
    return {
        "registry": found.registry,
        "repository": found.repository,
        "tag": found.tag,
        "digest": None if found.digest is None else str(found.digest),
    }


def read_image(vector: Vector) -> dict[str, Any]:
    found = images.parse(body(vector), vector.given["mediaType"])
    return {"needs": [one.digest for one in (*found.blobs, *found.children)]}


def read_volume_header(vector: Vector) -> dict[str, Any]:
    return {"number": parse_volume_header(body(vector)).number}


def read_frame(vector: Vector) -> dict[str, Any]:
    data = memoryview(body(vector))
    header = parse_frame(data)
    payload = data[header.table_end : header.size]
    header.check_payload(payload)
    plain = Decoder().decode(
        header.encoding,
        header.width,
        header.rotate,
        header.flags,
        payload,
        header.plain,
    )
    return {
        "encoding": header.encoding,
        "width": header.width,
        "rotate": header.rotate,
        "chunks": _chunks(header.ids, header.lengths),
        "plain": plain.hex(),
    }


def read_index(vector: Vector) -> dict[str, Any]:
    index = VolumeIndex.parse(body(vector))
    assert (index.lookup(index.ids) == range(len(index))).all()
    columns = (index.frame_offsets, index.plain_offsets, index.lengths)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    ids = [name.tobytes().hex() for name in index.ids]
    return {"chunks": [[name, *row] for name, row in zip(ids, rows, strict=True)]}


def read_tail(vector: Vector) -> dict[str, Any]:
    tail = parse_volume_tail(body(vector), vector.given["volumeSize"])
    assert tail.volume_size == vector.given["volumeSize"]
    return {
        "indexOffset": tail.index_offset,
        "frames": tail.frames,
        "chunks": tail.chunks,
        "indexDigest": tail.index_digest.raw.hex(),
    }


def read_shards(vector: Vector) -> dict[str, Any]:
    found = Shards.parse(body(vector)).digests
    if len(found) > SHOWN:
        return {"count": len(found)}
    return {"digests": [digest.tobytes().hex() for digest in found]}


def read_payload(vector: Vector) -> dict[str, Any]:
    given = vector.given
    encoding, width, rotate, flags = (
        given[name] for name in ("encoding", "width", "rotate", "flags")
    )
    data = memoryview(body(vector))
    plain = bytes(
        Decoder().decode(encoding, width, rotate, flags, data, given["plain"])
    )
    if len(plain) > SHOWN:
        return {"size": len(plain), "blake3": digest_of(plain).raw.hex()}
    return {"plain": plain.hex()}


def read_recipe(vector: Vector) -> dict[str, Any]:
    recipe = Recipe.parse(body(vector))
    return {
        "total": recipe.total,
        "files": [
            {
                "path": recipe.path(file),
                "mode": int(recipe.modes[file]),
                "size": int(recipe.sizes[file]),
                "sha256": recipe.sha256[file].tobytes().hex(),
                "gitSha1": recipe.git_sha1[file].tobytes().hex(),
                "segments": [_segment(recipe, one) for one in recipe.segments(file)],
            }
            for file in range(recipe.files)
        ],
    }


def _segment(recipe: Recipe, segment: Segment) -> dict[str, Any]:
    if segment.kind is SegmentKind.LITERAL:
        data = recipe.literal(segment)
        return {"kind": 1, "size": len(data), "blake3": digest_of(data).raw.hex()}
    rows = slice(segment.start, segment.start + segment.count)
    return {
        "kind": 0,
        "chunks": _chunks(recipe.chunk_ids[rows], recipe.chunk_lengths[rows]),
    }


def read_recipes(vector: Vector) -> dict[str, Any]:
    found = Recipes.parse(body(vector))
    for entry in found.entries:
        Recipe.parse(found.read(entry))
    return {
        "contents": found.contents.raw.hex(),
        "recipes": [
            {
                "digest": entry.digest.raw.hex(),
                "offset": entry.offset,
                "size": entry.size,
            }
            for entry in found.entries
        ],
        "required": [name.tobytes().hex() for name in found.required],
    }


def read_want(vector: Vector) -> dict[str, Any]:
    want = Want.parse(body(vector))
    return {
        "release": str(want.release),
        "recipes": [name.tobytes().hex() for name in want.recipes],
        "chunks": [name.tobytes().hex() for name in want.chunks],
        "name": want_name("lab-1", "models-prod", 7),
    }


def read_parity_record(vector: Vector) -> dict[str, Any]:
    header = parse_parity_header(body(vector))
    return {
        "number": header.number,
        "shards": header.stripes.shards,
        "groups": header.stripes.groups,
        "rows": header.stripes.parity,
        "copies": header.copies,
        "first": header.first,
        "count": header.count,
        "head": header.head_size,
    }


def read_parity_head(vector: Vector) -> dict[str, Any]:
    header = parse_parity_header(bytes.fromhex(vector.given["record"]))
    head = parse_parity_head(header, body(vector))
    digests = head.digests
    return {
        "shards": head.shards.hex(),
        "digests": [
            digests[start : start + 32].hex() for start in range(0, len(digests), 32)
        ],
        "copies": {name: data.hex() for name, data in head.copies.items()},
    }


def read_parity_rows(vector: Vector) -> dict[str, Any]:
    group = json.loads(body(vector))
    members = [bytes.fromhex(member) for member in group["members"]]
    width = max(map(len, members))
    joined_up = b"".join(member.ljust(width, b"\0") for member in members)
    shards = np.frombuffer(joined_up, np.uint8).reshape(len(members), width)
    rows = PlainEncoder(len(members), group["rows"]).encode(shards)
    return {"rows": [row.tobytes().hex() for row in rows]}


def read_entry(vector: Vector) -> dict[str, Any]:
    data = body(vector)
    entry = Entry.parse(data[:64])
    return {"name": entry_name(data[64 : 64 + entry.name_size]), "size": entry.size}


def read_release(vector: Vector) -> dict[str, Any]:
    release = Release.parse(body(vector))
    return {
        "digest": str(digest_of(body(vector))),
        "contents": str(release.contents),
        "release": json.loads(write_json(release)),
    }


def read_manifest(vector: Vector) -> dict[str, Any]:
    return {"manifest": json.loads(write_json(Manifest.parse(body(vector))))}


def _chunks(ids: Bytes, lengths: Words) -> list[list[Any]]:
    names = [name.tobytes().hex() for name in ids]
    return [list(pair) for pair in zip(names, lengths.tolist(), strict=True)]


VECTORS = Path(__file__).parents[2] / "spec/vectors"


def _plain(read: Callable[[Vector], Any]) -> Callable[[Vector, Path], Any]:
    return lambda vector, _: read(vector)


READERS: Mapping[str, Callable[[Vector, Path], Any]] = {
    "slug": _plain(read_slug),
    "path": _plain(read_path),
    "paths": _plain(read_paths),
    "digest": _plain(read_digest),
    "time": _plain(read_time),
    "json": _plain(read_document),
    "descriptor": _plain(read_descriptor),
    "reference": _plain(read_reference),
    "image": _plain(read_image),
    "volume_header": _plain(read_volume_header),
    "frame": _plain(read_frame),
    "index": _plain(read_index),
    "tail": _plain(read_tail),
    "shards": _plain(read_shards),
    "volume": directories.read_volume,
    "chunk": directories.read_chunk,
    "payload": _plain(read_payload),
    "recipe": _plain(read_recipe),
    "recipes": _plain(read_recipes),
    "release": _plain(read_release),
    "manifest": _plain(read_manifest),
    "want": _plain(read_want),
    "entry": _plain(read_entry),
    "stream": lambda vector, scratch: directories.read_stream(vector, VECTORS, scratch),
    "parity_record": _plain(read_parity_record),
    "parity_head": _plain(read_parity_head),
    "parity_rows": _plain(read_parity_rows),
    "receipt": lambda vector, _: trust.read_receipt_file(vector, body(vector)),
    "envelope": lambda vector, _: trust.read_envelope(vector, body(vector)),
    "signature": lambda vector, _: trust.read_signature(vector, body(vector)),
    "key": lambda vector, _: trust.read_key(vector, body(vector)),
    "private_key": lambda vector, _: trust.read_private_key(vector, body(vector)),
    "root": lambda vector, _: trust.read_root_file(vector, body(vector)),
    "trust": lambda vector, _: trust.read_trust(vector, VECTORS),
    "enrolment": lambda vector, scratch: trust.read_enrolment(
        vector, body(vector), VECTORS, scratch
    ),
    "bundle": lambda vector, scratch: directories.read_bundle(vector, VECTORS, scratch),
    "policy": lambda vector, _: trust.read_policy(vector, body(vector)),
}
