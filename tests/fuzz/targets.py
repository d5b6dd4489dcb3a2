"""What is fed with anything at all: every reader of bytes from outside.

The rule is one for all: what comes in is accepted, or refused with one of our
errors. Beside it, what is accepted has to keep what its reader promises.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from typing import TYPE_CHECKING, Final

import numpy as np

from bundle.codec.codec import Decoder
from bundle.cut.plan import cut_region, plan
from bundle.errors import BundleError
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
from bundle.format.want import Want
from bundle.limits import MAX_CHUNK, MAX_ENVELOPE, MAX_FRAME_PLAIN
from bundle.oci import layouts, manifests
from bundle.oci.media_types import OCI_INDEX, OCI_MANIFEST
from bundle.oci.references import Reference
from bundle.paths import check_distinct, check_path, check_slug
from bundle.settings import read_settings
from bundle.trust import envelope
from bundle.trust.keys import PrivateKey, PublicKey
from bundle.trust.receipts import read_receipt
from bundle.trust.roles import Roles, read_next_root, read_roles, read_root
from bundle.trust.terms import Policy
from bundle.wire import parse_json, read_moment, write_json
from spec.vectors.generate import every
from spec.vectors.generator.container import joined, parse
from spec.vectors.generator.documents import dumps
from spec.vectors.generator.signing import (
    ROLES_FILE,
    ROOT as FIRST,
    ROOT_FILE,
    metadata,
    root,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT: Final = read_root(ROOT_FILE)
LARGEST: Final = 1 << 16
"""Bytes of a seed: mutations of larger ones find little in the time."""


def _envelope(data: bytes) -> None:
    parsed = envelope.parse(data, limit=MAX_ENVELOPE)
    again = envelope.parse(data, limit=MAX_ENVELOPE)
    assert again == parsed


def _release(data: bytes) -> None:
    release = Release.parse(data)
    assert Release.parse(release.serialize()) == release


def _manifest(data: bytes) -> None:
    manifest = Manifest.parse(data)
    assert Manifest.parse(write_json(manifest)) == manifest


def _recipe(data: bytes) -> None:
    recipe = Recipe.parse(data)
    for file in range(recipe.files):
        check_path(recipe.path(file), rule="2.3")
        size = 0
        for segment in recipe.segments(file):
            if segment.kind is SegmentKind.LITERAL:
                size += len(recipe.literal(segment))
            else:
                rows = slice(segment.start, segment.start + segment.count)
                size += int(recipe.chunk_lengths[rows].sum())
        assert size == recipe.sizes[file]


def _recipes(data: bytes) -> None:
    held = Recipes.parse(data)
    for entry in held.entries:
        Recipe.parse(held.read(entry))


def _frame(data: bytes) -> None:
    header = parse_frame(data)
    payload = memoryview(data)[header.table_end : header.size]
    header.check_payload(payload)
    plain = Decoder().decode(
        header.encoding,
        header.width,
        header.rotate,
        header.flags,
        payload,
        header.plain,
    )
    assert len(plain) == header.plain == int(header.lengths.sum())


def _payload(data: bytes) -> None:
    """The first eight bytes are what the frame's header says."""
    if len(data) < 8:
        return
    encoding, width, rotate, flags, plain = struct.unpack_from("<BBBBI", data)
    plain %= MAX_FRAME_PLAIN + 2
    found = Decoder().decode(
        encoding % 4, width, rotate, flags, memoryview(data)[8:], plain
    )
    assert len(found) == plain


def _volume(data: bytes) -> None:
    """From the first byte on, and then through the tail and the index."""
    parse_volume_header(data[:64])
    tail = parse_volume_tail(data[-64:], len(data))
    index = VolumeIndex.parse(data[tail.index_offset : -64])
    offset = 64
    while offset < tail.index_offset:
        header = parse_frame(data[offset : tail.index_offset])
        offset += header.size
    assert len(index) == tail.chunks


def _index(data: bytes) -> None:
    index = VolumeIndex.parse(data)
    assert (index.lookup(index.ids) == np.arange(len(index))).all()


def _tail(data: bytes) -> None:
    size = int.from_bytes(data[64:72], "little")
    assert parse_volume_tail(data[:64], size).volume_size == size


def _parity(data: bytes) -> None:
    header = parse_parity_header(data[:64])
    parse_parity_head(header, data[64:])


def _entry(data: bytes) -> None:
    entry = Entry.parse(data[:64])
    entry_name(data[64 : 64 + entry.name_size])


def _paths(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    paths = text.split("\n")
    for path in paths:
        check_path(path, rule="2.3")
    check_distinct(paths, (), rule="2.4")


def _slug(data: bytes) -> None:
    assert check_slug(data.decode("utf-8", "surrogateescape"), rule="2.2").isascii()


def _moment(data: bytes) -> None:
    assert read_moment(data.decode("utf-8", "surrogateescape"), rule="8.3.7") >= 0


def _key(data: bytes) -> None:
    PublicKey.parse(data.decode("utf-8", "surrogateescape"))


def _cut(data: bytes, name: str = "file") -> None:
    """No content makes a cutter fail, and its chunks are the content."""
    found = plan(lambda offset, size: data[offset : offset + size], len(data), name)
    place = 0
    for region in found.regions():
        assert region.start == place
        place = region.end
        piece = memoryview(data)[region.start : region.end]
        lengths = cut_region(region.rule, piece, final=True)
        assert int(lengths.sum()) == len(piece)
        assert int(lengths.max()) <= MAX_CHUNK
    assert place == len(data)


def _reference(data: bytes) -> None:
    Reference.parse(data.decode("utf-8", "surrogateescape"))


TARGETS: Final[dict[str, Callable[[bytes], object]]] = {
    "envelope": _envelope,
    "signature": envelope.parse_detached,
    "root": read_root,
    "second_root": lambda data: read_next_root(ROOT, data),
    "roles": lambda data: read_roles(ROOT, data),
    "key": _key,
    "private_key": PrivateKey.from_pem,
    "release": _release,
    "manifest": _manifest,
    "json": lambda data: parse_json(data, limit=LARGEST, rule="2.5"),
    "recipe": _recipe,
    "recipes": _recipes,
    "volume": _volume,
    "frame": _frame,
    "payload": _payload,
    "index": _index,
    "tail": _tail,
    "shards": Shards.parse,
    "receipt": lambda data: read_receipt(data, Roles(1, 0, {}, b"")),
    "want": Want.parse,
    "parity": _parity,
    "entry": _entry,
    "path": _paths,
    "slug": _slug,
    "time": _moment,
    "image_manifest": lambda data: manifests.parse(data, OCI_MANIFEST),
    "image_index": lambda data: manifests.parse(data, OCI_INDEX),
    "image_layout": layouts.parse_index,
    "reference": _reference,
    "policy": lambda data: read_settings(data, Policy, "trust.toml"),
    "cut": _cut,
}
"""Every target by its name."""

KINDS: Final = {
    "second_root": "root",
    "roles": "root",
    "image_manifest": "image",
    "image_index": "image",
    "image_layout": "image",
    "parity": "parity_record",
    "cut": "",
    "policy": "",
}
"""Targets whose seeds are vectors of another kind, or are none."""


def run(name: str, data: bytes) -> bool:
    """Feed one input to a target; return whether it was accepted.

    Whatever else than one of our errors comes out of it is a finding.
    """
    reason = "accepted"
    try:
        TARGETS[name](data)
    except BundleError as error:
        reason = str(error)
    assert reason.isprintable(), reason
    return reason == "accepted"


def seeds(name: str) -> Iterator[bytes]:
    """Give what a target begins with: what is accepted, and what nearly is."""
    kind = KINDS.get(name, name)
    for path, text in VECTORS.items():
        if path.partition("/")[0] != kind:
            continue
        vector = parse(text)
        assert isinstance(vector.body, bytes | tuple)
        data = joined(vector.body)
        if name == "tail":
            data += vector.given["volumeSize"].to_bytes(8, "little")
        if name == "payload":
            given = vector.given
            head = [given[key] for key in ("encoding", "width", "rotate", "flags")]
            data = struct.pack("<BBBBI", *head, given["plain"]) + data
        if len(data) <= LARGEST:
            yield data
    yield from EXTRA.get(name, ())


VECTORS: Final = every()


def _parities() -> Iterator[bytes]:
    """Heads of parity files, each after the record that describes it."""
    for path, text in VECTORS.items():
        if path.startswith("parity_head/"):
            vector = parse(text)
            assert isinstance(vector.body, bytes | tuple)
            yield bytes.fromhex(vector.given["record"]) + joined(vector.body)


def _archives() -> Iterator[bytes]:
    """Small files of every form that is cut at its own joints."""
    header = {
        "a": {"dtype": "F16", "shape": [4, 8], "data_offsets": [0, 64]},
        "b": {"dtype": "F32", "shape": [16], "data_offsets": [64, 128]},
    }
    text = json.dumps(header).encode()
    yield struct.pack("<Q", len(text)) + text + bytes(range(128))
    yield _gguf()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("data.pkl", b"x" * 100)
        archive.writestr("data/0", bytes(range(256)) * 100)
    yield packed.getvalue()
    block = b"member".ljust(100, b"\0") + b"0000644\0" * 3 + b"00000000100\0" * 2
    block = block.ljust(257, b"\0") + b"ustar\x0000"
    yield block.ljust(512, b"\0") + bytes(1536)
    yield b"\x1f\x8b\x08" + bytes(200)


def _gguf() -> bytes:
    def text(value: bytes) -> bytes:
        return struct.pack("<Q", len(value)) + value

    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 2)
    pairs = text(b"general.name") + struct.pack("<I", 8) + text(b"tiny")
    pairs += text(b"tokens") + struct.pack("<IIQ", 9, 8, 2) + text(b"a") + text(b"b")
    tensor = text(b"weight") + struct.pack("<IQIQ", 1, 6400, 0, 0)
    body = head + pairs + tensor
    return body + bytes(-len(body) % 32) + bytes(range(256)) * 100


EXTRA: Final[dict[str, tuple[bytes, ...]]] = {
    "roles": (ROLES_FILE,),
    "second_root": (dumps(metadata(root(2), FIRST)),),
    "parity": tuple(_parities()),
    "cut": tuple(_archives()),
    "policy": (
        b"",
        b'[[streams]]\nname = "models-prod"\n',
        b"max-jump = 10\n[streams]\n",
    ),
}
