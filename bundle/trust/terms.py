"""The terms on which a receiver takes releases: ``trust.toml``, read (spec §25.2).

One frozen structure, empty where there is no file. Signatures say who made a
release; terms say what of whose making is wanted here. A stream that is listed may
publish the kinds and names it is listed with, by the keys it is listed with; once
any stream is listed, no other one is taken. So a packer's key that was stolen opens
no second stream over the same names.

>>> StreamTerms(id="ab" * 16, names=("meta-llama/*",)).covers("hf-model", "gpt2")
False
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from bundle.errors import FormatError
from bundle.limits import MAX_CLOCK_AHEAD, MAX_SEQ_JUMP, MAX_SIGNATURES
from bundle.paths import check_slug

_STREAM: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_KEY: Final = re.compile(r"[0-9a-f]{16,64}", re.ASCII)
_HOUR: Final = 3600
_MAX_JUMP: Final = 1_000_000
_MAX_AHEAD: Final = 365 * 24

Answer = Literal["warn", "refuse"]


class StreamTerms(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"
):
    """What one stream may publish. What is left out falls back on the whole.

    ``kinds`` and ``names`` are those of artifacts, none given means any; a name may
    end in ``*``. ``keys`` are ids of packers, 16 digits of them or more.
    """

    id: str
    name: str | None = None
    kinds: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    approvers: int | None = None
    gaps: Answer | None = None
    pickles: Answer | None = None

    def __post_init__(self) -> None:
        if _STREAM.fullmatch(self.id) is None:
            raise ValueError("a stream's id has 32 digits of 0-9 and a-f")
        for one in (*(() if self.name is None else (self.name,)), *self.kinds):
            _slug(one)
        for one in self.keys:
            if _KEY.fullmatch(one) is None:
                raise ValueError(f"{one[:80]!r} is not 16 to 64 digits of a key's id")
        for one in self.names:
            if not one or "*" in one[:-1]:
                raise ValueError(f"{one[:80]!r}: '*' may only be the end of a name")
        _approvers(self.approvers or 0)

    def covers(self, kind: str, name: str) -> bool:
        """Return whether the stream may publish an artifact called that."""
        return (not self.kinds or kind in self.kinds) and (
            not self.names or any(_fits(one, name) for one in self.names)
        )

    def takes(self, keyid: str) -> bool:
        """Return whether the stream may be signed by a packer's key."""
        return not self.keys or any(keyid.startswith(one) for one in self.keys)


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """The whole of ``trust.toml``; every default is what a receiver does without it.

    ``site`` is this receiver's name. ``jump`` are the numbers that one release may
    be ahead of the one before, ``ahead_hours`` how far its date may be.
    """

    site: str | None = None
    audience: Literal["optional", "required"] = "optional"
    expired: Answer = "warn"
    gaps: Answer = "warn"
    pickles: Answer | None = None
    approvers: int = 0
    jump: int = MAX_SEQ_JUMP
    ahead_hours: int = MAX_CLOCK_AHEAD // _HOUR
    stream: tuple[StreamTerms, ...] = ()

    def __post_init__(self) -> None:
        if self.site is not None:
            _slug(self.site)
        _approvers(self.approvers)
        if not 1 <= self.jump <= _MAX_JUMP:
            raise ValueError(f"jump is 1 to {_MAX_JUMP}")
        if not 1 <= self.ahead_hours <= _MAX_AHEAD:
            raise ValueError(f"ahead-hours is 1 to {_MAX_AHEAD}")
        if len({one.id for one in self.stream}) != len(self.stream):
            raise ValueError("a stream is listed twice")

    def of(self, stream: str) -> StreamTerms | None:
        """Return what is said of a stream, None where nothing is."""
        return next((one for one in self.stream if one.id == stream), None)

    def approvers_of(self, stream: str) -> int:
        """Return how many approvers a release of ``stream`` needs."""
        terms = self.of(stream)
        if terms is None or terms.approvers is None:
            return self.approvers
        return terms.approvers

    def gaps_of(self, stream: str) -> Answer:
        """Return what is done where a release between was not read."""
        terms = self.of(stream)
        return self.gaps if terms is None else terms.gaps or self.gaps

    def pickles_of(self, stream: str) -> Answer | None:
        """Return what is done about files that are mostly pickles; None: nothing."""
        terms = self.of(stream)
        return self.pickles if terms is None else terms.pickles or self.pickles


def _fits(pattern: str, name: str) -> bool:
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return name == pattern


def _slug(text: str) -> None:
    try:
        check_slug(text, rule="2.2")
    except FormatError as error:
        raise ValueError(error.args[0]) from None


def _approvers(count: int) -> None:
    if not 0 <= count <= MAX_SIGNATURES:
        raise ValueError(f"approvers is 0 to {MAX_SIGNATURES}")


OPEN: Final = Policy()
"""What a receiver without a ``trust.toml`` asks for."""
