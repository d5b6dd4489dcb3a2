"""Wants: the far side's list of what it lacks (spec §60.2).

A receiver that cannot apply a bundle writes down which chunks it would need, and
the recipes where it does not even have those. Whoever packs answers with a fill:
a bundle of the same release that carries just these.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from bundle.digest import DIGEST_SIZE, Digest
from bundle.errors import FormatError, LimitError, TruncatedError
from bundle.format.columns import (
    FORMAT,
    RECORD_SIZE,
    Record,
    digests,
    first_unsorted,
    view_of,
)
from bundle.format.layout import short
from bundle.format.receipt import check_site
from bundle.limits import MAX_WANT
from bundle.paths import check_slug

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from bundle.format.columns import Bytes

_HEADER: Final = Record("want", "60.2", b"\x89BDW\r\n\x1a\n", struct.Struct("<HHIQ32s"))


@dataclass(frozen=True, slots=True, eq=False)
class Want:
    """What is missing of one release; rows of 32 bytes, each kind sorted.

    ``recipes`` are the digests of recipes that neither the bundle nor the
    receiver has; which chunks these need is not known there. ``chunks`` are ids.
    """

    release: Digest
    recipes: Bytes
    chunks: Bytes

    @classmethod
    def parse(cls, buffer: ReadableBuffer) -> Self:
        """Return the want in ``buffer``, which holds it and nothing else.

        Raises:
            TruncatedError: it stops too soon.
            FormatError: rule 60.2.
        """
        data = view_of(buffer)
        if len(data) > MAX_WANT:
            raise LimitError(f"a want over {MAX_WANT} bytes", rule="60.2.9")
        version, flags, recipes, chunks, release = _HEADER.parse(data)
        _HEADER.check_version(version, flags)
        expected = RECORD_SIZE + DIGEST_SIZE * (recipes + chunks)
        if len(data) != expected:
            kind = TruncatedError if len(data) < expected else FormatError
            raise kind(
                f"{recipes} recipes and {chunks} chunks take {expected} bytes, "
                f"here are {len(data)}",
                rule="60.2.6",
                offset=min(len(data), expected),
            )
        start = RECORD_SIZE + DIGEST_SIZE * recipes
        want = cls(
            Digest(release),
            digests(data, RECORD_SIZE, recipes),
            digests(data, start, chunks),
        )
        _check(want)
        return want

    def serialize(self) -> bytes:
        """Return the bytes of the file.

        Raises:
            LimitError: there are more ids than a reader takes.
            FormatError: nothing is wanted, or the ids are not ascending.
        """
        _check(self)
        size = RECORD_SIZE + DIGEST_SIZE * (len(self.recipes) + len(self.chunks))
        if size > MAX_WANT:
            raise LimitError(f"a want over {MAX_WANT} bytes", rule="60.2.9")
        head = _HEADER.serialize(
            FORMAT, 0, len(self.recipes), len(self.chunks), self.release.raw
        )
        parts = (self.recipes, self.chunks)
        return head + b"".join(np.ascontiguousarray(ids).tobytes() for ids in parts)


def want_name(site: str, stream: str, seq: int) -> str:
    """Return the name of a want's file (rule 60.2.10).

    Raises:
        FormatError: the site or the stream is no slug.
    """
    check_site(site)
    check_slug(stream, rule="8.3.2")
    return f"want-{short(site, 18)}-{short(stream, 18)}-{seq:06}.bdw"


def _check(want: Want) -> None:
    if not len(want.recipes) and not len(want.chunks):
        raise FormatError("a want of nothing", rule="60.2.7")
    for noun, ids in (("recipe", want.recipes), ("chunk", want.chunks)):
        if first_unsorted(ids) >= 0:
            raise FormatError(
                f"the id of a {noun} is not above the one before it", rule="60.2.8"
            )
