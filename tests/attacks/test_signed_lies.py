"""A trusted key signs something that is not so: it is found out before it is used."""

from __future__ import annotations

import hashlib
import resource
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from blake3 import blake3

from bundle.errors import BundleError, FormatError, IntegrityError, MissingError
from bundle.format.recipe_builder import Literal
from bundle.limits import MAX_FRAME_PLAIN, MIB
from tests.attacks.forgery import (
    Forgery,
    chunks,
    digest_text,
    frame,
    recipe,
    volume,
    whole,
    with_path,
    zstd_bomb,
)
from tests.bundles import Site, snapshot, write_tree
from tests.format.samples import ids_of

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO, THREE = b"1" * 200, b"2" * 200, b"3" * 300
TRUE = whole({"file": ONE})
SHORT = np.array([100], np.uint32)


@dataclass(frozen=True)
class Lie:
    """A forgery, and the class, exit code and rule of its refusal."""

    forgery: Forgery
    error: type[BundleError]
    code: int
    rule: str


LIES: dict[str, Lie] = {
    "a file that its chunks do not make": Lie(
        Forgery(
            [recipe({"file": [chunks(ONE)]}, plain={"file": TWO})], [volume(frame(ONE))]
        ),
        IntegrityError,
        11,
        "6.7",
    ),
    "a file that its literal does not make": Lie(
        Forgery([recipe({"file": [Literal(b"few")]}, plain={"file": b"FEW"})]),
        IntegrityError,
        11,
        "6.7",
    ),
    "an empty file with the digest of another": Lie(
        Forgery([recipe({"file": []}, plain={"file": ONE})]), IntegrityError, 11, "6.7"
    ),
    "the digest of one file on the parts of another": Lie(
        Forgery(
            [
                recipe(
                    {"a": [chunks(ONE)], "b": [chunks(TWO)]},
                    plain={"a": ONE, "b": ONE},
                )
            ],
            [volume(frame(ONE, TWO))],
        ),
        IntegrityError,
        11,
        "6.7",
    ),
    "one byte that stands for a whole file": Lie(
        Forgery(
            [
                recipe(
                    {"a": [chunks(ONE)], "b": [Literal(b"1")]},
                    plain={"a": ONE, "b": ONE},
                )
            ],
            [volume(frame(ONE))],
        ),
        IntegrityError,
        11,
        "6.7",
    ),
    "a frame whose chunk has another id": Lie(
        Forgery([TRUE], [volume(frame(TWO, ids=ids_of(ONE)))]),
        IntegrityError,
        11,
        "5.5.6",
    ),
    "a payload other than its digest": Lie(
        Forgery([TRUE], [volume(frame(ONE, payload_digest=bytes(32)))]),
        IntegrityError,
        11,
        "5.2.15",
    ),
    "a chunk that the recipe has longer than the frame": Lie(
        Forgery(
            [recipe({"file": [chunks(ONE)]}, plain={"file": ONE})],
            [volume(frame(ONE[:100], ids=ids_of(ONE)))],
        ),
        IntegrityError,
        11,
        "5.5.6",
    ),
    "a chunk that the recipe has shorter than it is": Lie(
        Forgery(
            [
                recipe(
                    {"file": [type(chunks(ONE))(ids_of(ONE), SHORT)]},
                    plain={"file": ONE[:100]},
                )
            ],
            [volume(frame(ONE))],
        ),
        IntegrityError,
        11,
        "6.6",
    ),
    "a chunk that is in no volume": Lie(
        Forgery([whole({"file": ONE, "more": TWO})], [volume(frame(ONE))]),
        MissingError,
        13,
        "",
    ),
    "chunks and no volume at all": Lie(Forgery([TRUE]), MissingError, 13, ""),
    "volumes in another order": Lie(
        Forgery(
            [whole({"file": ONE, "more": TWO})],
            [volume(frame(ONE), number=2), volume(frame(TWO), number=1)],
        ),
        FormatError,
        10,
        "5.5.5",
    ),
    "bytes after the tail": Lie(
        Forgery([TRUE], [volume(frame(ONE)) + bytes(64)]), FormatError, 10, "5.5.2"
    ),
    "bytes between the frames and the index": Lie(
        Forgery(
            [TRUE],
            [volume(frame(ONE))[:-1136] + bytes(64) + volume(frame(ONE))[-1136:]],
        ),
        FormatError,
        10,
        "5.5.2",
    ),
    "an index that points elsewhere": Lie(
        Forgery(
            [TRUE],
            [volume(frame(ONE))[:-1136] + volume(frame(TWO))[-1136:]],
        ),
        FormatError,
        10,
        "5.5.2",
    ),
    "a volume of zeros": Lie(Forgery([TRUE], [bytes(2000)]), FormatError, 10, "5.1.2"),
    "a path that climbs out": Lie(
        Forgery([with_path(TRUE, "file", "../x")]), FormatError, 10, "2.3"
    ),
    "an absolute path": Lie(
        Forgery([with_path(TRUE, "file", "/etc")]), FormatError, 10, "2.3"
    ),
    "a path with a backslash": Lie(
        Forgery([with_path(TRUE, "file", "a\\bc")]), FormatError, 10, "2.3"
    ),
    "a device": Lie(Forgery([with_path(TRUE, "file", "nul.")]), FormatError, 10, "2.3"),
    "a recipe with something after it": Lie(
        Forgery([TRUE + bytes(8)]), FormatError, 10, "6."
    ),
    "a count of bytes that is too small": Lie(
        Forgery([TRUE], [volume(frame(ONE))], artifact={"bytes": 1}),
        IntegrityError,
        11,
        "8.4.7",
    ),
    "a count that is right for one of two artifacts": Lie(
        Forgery(
            [TRUE, TRUE],
            [volume(frame(ONE))],
            release={"artifacts.0.bytes": 1, "budgets.bytes": 201},
        ),
        IntegrityError,
        11,
        "8.4.7",
    ),
    "budgets under what is to be unpacked": Lie(
        Forgery([TRUE], [volume(frame(ONE))], release={"budgets.bytes": 1}),
        FormatError,
        10,
        "8.5.1",
    ),
    "names longer than their budget": Lie(
        Forgery([TRUE], [volume(frame(ONE))], release={"budgets.nameBytes": 3}),
        FormatError,
        10,
        "8.5.3",
    ),
    "subjects that are not the artifacts": Lie(
        Forgery([TRUE], [volume(frame(ONE))], release={"artifacts.0.name": "b"}),
        FormatError,
        10,
        "8.1.3",
    ),
    "a feature that must be understood": Lie(
        Forgery([TRUE], [volume(frame(ONE))], release={"features.required": ["magic"]}),
        FormatError,
        10,
        "8.2.4",
    ),
    "another release than the one beside it": Lie(
        Forgery(
            [TRUE], [volume(frame(ONE))], manifest={"release.digest": digest_text(b"x")}
        ),
        IntegrityError,
        11,
        "3.2.4",
    ),
    "other contents": Lie(
        Forgery([TRUE], [volume(frame(ONE))], manifest={"contents": digest_text(b"x")}),
        IntegrityError,
        11,
        "9.2.2",
    ),
    "recipes.bdr as a whole": Lie(
        Forgery(
            [TRUE], [volume(frame(ONE))], manifest={"recipes.digest": digest_text(b"x")}
        ),
        IntegrityError,
        11,
        "3.2.4",
    ),
    "approval.md": Lie(
        Forgery(
            [TRUE],
            [volume(frame(ONE))],
            manifest={"approval.digest": digest_text(b"x")},
        ),
        IntegrityError,
        11,
        "3.2.4",
    ),
    "a recipe that the release does not name": Lie(
        Forgery([TRUE], [volume(frame(ONE))], carried=[TRUE, whole({"x": TWO})]),
        IntegrityError,
        11,
        "9.2",
    ),
    "a volume that is somewhere else": Lie(
        Forgery(
            [TRUE], [volume(frame(ONE))], manifest={"volumes.0.name": "../../vol.bdv"}
        ),
        FormatError,
        10,
        "9.3.1",
    ),
    "encryption": Lie(
        Forgery([TRUE], [volume(frame(ONE))], manifest={"encryption": "none"}),
        FormatError,
        10,
        "9.1",
    ),
    "a frame that says it is more than it may": Lie(
        Forgery(
            [TRUE],
            [volume(frame(ONE)).replace(b"\xf1BDF\0\0\0\0", b"\xf1BDF\x07\0\0\0")],
        ),
        FormatError,
        10,
        "5.2.4",
    ),
}


@pytest.mark.parametrize("verb", ["verify", "unpack"])
@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_it_is_not_so(tmp_path: Path, lie: Lie, verb: str) -> None:
    site = Site(tmp_path)
    bundle = lie.forgery.write(site)
    write_tree(site.target, {"file": b"the one before", "keep/me": b"mine"})
    site.key_directory.is_dir()
    before = snapshot(tmp_path)
    with pytest.raises(lie.error) as caught:
        getattr(site, verb)(bundle)
    assert caught.value.exit_code == lie.code
    assert str(caught.value).isprintable()
    if lie.rule:
        assert f"(rule {lie.rule}" in str(caught.value)
    assert snapshot(tmp_path) == before


def test_the_forger_can_tell_the_truth(tmp_path: Path) -> None:
    """Else all of the above would be refused for something else."""
    site = Site(tmp_path)
    files = {"one": ONE, "two": TWO, "three": THREE}
    bundle = Forgery(
        [whole(files), whole({"again/one": ONE})],
        [volume(frame(ONE, TWO)), volume(frame(THREE), number=2)],
    ).write(site)
    assert {one.state for one in site.verify(bundle).artifacts} == {"verified"}
    site.unpack(bundle)
    for path, data in {**files, "again/one": ONE}.items():
        assert (site.target / path).read_bytes() == data


def test_a_lie_about_a_whole_volume_is_for_verify_to_find(tmp_path: Path) -> None:
    """Each shard is right, so what is unpacked is what was signed, twice over."""
    site = Site(tmp_path)
    bundle = Forgery(
        [TRUE], [volume(frame(ONE))], manifest={"volumes.0.digest": digest_text(b"x")}
    ).write(site)
    with pytest.raises(IntegrityError, match=r"vol-00001.bdv is not .*rule 3\.2\.4"):
        site.verify(bundle)
    site.unpack(bundle)
    assert (site.target / "file").read_bytes() == ONE


def test_a_chunk_in_two_volumes_is_written_once(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = Forgery(
        [whole({"a": ONE, "b": TWO})],
        [volume(frame(ONE)), volume(frame(TWO, ONE), number=2)],
    ).write(site)
    site.verify(bundle)
    assert site.unpack(bundle).placed[0].written_files == 2
    assert (site.target / "a").read_bytes() == ONE


def test_chunks_that_nothing_needs_are_checked_all_the_same(tmp_path: Path) -> None:
    site = Site(tmp_path)
    fine = Forgery([TRUE], [volume(frame(ONE), frame(TWO))]).write(site, "fine")
    site.verify(fine)
    bent = Forgery([TRUE], [volume(frame(ONE), frame(TWO, ids=ids_of(THREE)))])
    with pytest.raises(IntegrityError, match=r"rule 5\.5\.6"):
        site.verify(bent.write(site, "bent"))


# -- more than was asked for ---------------------------------------------------------


BOMBS = {
    "64 MiB where a byte was promised": (64 * MIB, b"1", "10."),
    "1 GiB in the place of a frame": (1 << 30, bytes(MAX_FRAME_PLAIN // 4), "10."),
    "a byte more than was promised": (128 * 1024, bytes(128 * 1024 - 1), "10."),
}


@pytest.mark.parametrize(("size", "chunk", "rule"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_not_set_off(
    tmp_path: Path, size: int, chunk: bytes, rule: str
) -> None:
    """The frame is signed, and what it says of its size is not believed."""
    site = Site(tmp_path)
    payload = zstd_bomb(size)
    bomb = frame(
        chunk,
        payload=payload,
        encoding=1,
        stored=len(payload),
        payload_digest=blake3(payload).digest(),
    )
    bundle = Forgery([whole({"file": chunk})], [volume(bomb)]).write(site)
    site.verify(Forgery([TRUE], [volume(frame(ONE))]).write(site, "warm"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for read in (site.verify, site.unpack):
        with pytest.raises(FormatError, match=rf"rule {rule}"):
            read(bundle)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 16 * 1024
    assert not site.target.exists()


def test_a_chunk_that_is_wanted_many_times_costs_what_its_files_are(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    count = 2000
    data = ONE * count
    many = chunks(*[ONE] * count)
    made = recipe({"file": [many]}, digests={"file": hashlib.sha256(data).digest()})
    bundle = Forgery([made], [volume(frame(ONE))]).write(site)
    site.verify(bundle)
    site.unpack(bundle)
    assert (site.target / "file").read_bytes() == data
