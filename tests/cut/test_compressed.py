"""Compressed content: real files of every kind the standard library makes."""

from __future__ import annotations

import bz2
import gzip
import lzma

import pytest
import zstandard

from bundle.codec.encoding import DENSE
from tests.cut.samples import MODEL, chunks, planned

BODY = MODEL["embed"]
REAL = {
    "gzip": gzip.compress(BODY, 1, mtime=0),
    "zstd": zstandard.compress(BODY, 1),
    "xz": lzma.compress(BODY[:700_000], preset=0),
    "bzip2": bz2.compress(BODY, 1),
}


@pytest.mark.parametrize("data", REAL.values(), ids=REAL.keys())
def test_compressed_content_is_cut_at_fixed_steps(data: bytes) -> None:
    (region,) = planned(data).regions()
    assert (region.rule.name, region.kind) == ("FIXED", DENSE)
    lengths = [len(chunk) for chunk in chunks(data)]
    assert lengths == [1 << 20] * (len(data) >> 20) + [len(data) % (1 << 20)]


@pytest.mark.parametrize("name", ["song.mp3", "SONG.MP3", "a/b.html.br", "x.lzma"])
def test_a_name_helps_where_there_is_no_mark(name: str) -> None:
    (region,) = planned(BODY, name).regions()
    assert (region.rule.name, region.kind) == ("FIXED", DENSE)


@pytest.mark.parametrize("name", ["a.txt", "mp3", "a.gz", "b.safetensors"])
def test_a_name_alone_is_no_mark(name: str) -> None:
    (region,) = planned(BODY, name).regions()
    assert region.rule.name == "FASTCDC"
