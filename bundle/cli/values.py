"""What the values of options may be; each reader raises ValueError for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bundle.cli.units import parse_size
from bundle.errors import FormatError
from bundle.limits import (
    GIB,
    MAX_PARITY_PERCENT,
    MAX_RECEIPT_RELEASES,
    MAX_SIGNATURES,
    MAX_VOLUME,
    MIN_VOLUME,
)

if TYPE_CHECKING:
    from bundle.oci.platforms import Platform

MAX_JOBS: Final = 256
"""Worker threads of one run: each owns its buffers."""

MAX_EXPIRES_DAYS: Final = 36_500
"""Days until a release expires: a century."""

MAX_OVERLAP: Final = 31
"""Releases that are sent again at most: one fewer than are remembered."""

MAX_KEPT: Final = 1_000_000
"""Releases of a stream that a collection keeps at most: all there will be."""

DEFAULT_PERCENT: Final = 10
"""Percent of parity when ``bundle parity add`` is not told."""

DEFAULT_VOLUME: Final = GIB
"""Bytes of a volume when neither ``--volume-size`` nor ``--media-size`` is there."""


MAX_LINE: Final = 400
"""Characters of a reason that a person gives."""


MIN_RATE: Final = 1024
"""Bytes a second of the slowest push: a frame arrives within an hour."""


def slug(text: str) -> str:
    """Return a name of a stream or a site.

    Raises:
        ValueError: it has a character that such names do not have.
    """
    from bundle.paths import check_slug

    try:
        return check_slug(text, rule="2.2")
    except FormatError as error:
        raise ValueError(str(error)) from None


def addressing(text: str) -> str:
    """Return where the name of a bucket goes.

    Raises:
        ValueError: it is none of ``auto``, ``path``, ``virtual``.
    """
    if text not in ("auto", "path", "virtual"):
        raise ValueError(f"{text!r} is not auto, path or virtual")
    return text


def on_existing(text: str) -> str:
    """Return what happens to a tag that names something else.

    Raises:
        ValueError: it is not ``overwrite``, ``skip`` or ``fail``.
    """
    if text not in ("overwrite", "skip", "fail"):
        raise ValueError(f"{text!r} is not overwrite, skip or fail")
    return text


def line(text: str) -> str:
    """Return a person's name or reason, as one line of a log.

    Raises:
        ValueError: it is empty, too long, or has characters that do not show.
    """
    if not text.strip() or len(text) > MAX_LINE or not text.isprintable():
        raise ValueError(f"not 1 to {MAX_LINE} characters that show: {text[:40]!r}")
    return text


def platform(text: str) -> Platform:
    """Return which machines an image is for.

    Raises:
        ValueError: it is not ``os/architecture[/variant]``.
    """
    from bundle.oci.platforms import Platform

    try:
        return Platform.parse(text)
    except FormatError as error:
        raise ValueError(str(error)) from None


def jobs(text: str) -> int:
    """Return a number of worker threads.

    Raises:
        ValueError: it is not one.
    """
    return _whole(text, 1, MAX_JOBS)


def days(text: str) -> int:
    """Return a number of days until a release expires.

    Raises:
        ValueError: it is not one.
    """
    return _whole(text, 1, MAX_EXPIRES_DAYS)


def releases(text: str) -> int:
    """Return a number of releases that are sent again.

    Raises:
        ValueError: it is not one.
    """
    return _whole(text, 0, MAX_OVERLAP)


def threshold(text: str) -> int:
    """Return how many keys have to sign.

    Raises:
        ValueError: it is not a number of signatures that a file can have.
    """
    return _whole(text, 1, MAX_SIGNATURES)


def kept(text: str) -> int:
    """Return a number of releases that a collection keeps of each stream.

    Raises:
        ValueError: it is not one.
    """
    return _whole(text, 1, MAX_KEPT)


def keeping(text: str) -> int:
    """Return a number of releases that pruning keeps at a target.

    Raises:
        ValueError: it is not one that a target remembers.
    """
    return _whole(text, 1, MAX_RECEIPT_RELEASES - 1)


def percent(text: str) -> int:
    """Return how much parity there is for the payload.

    Raises:
        ValueError: it is not a whole number of percent.
    """
    return _whole(text.removesuffix("%"), 1, MAX_PARITY_PERCENT)


def volume_size(text: str) -> int:
    """Return the size of a volume.

    Raises:
        ValueError: it is not a size, or not one that a volume can have.
    """
    size = parse_size(text)
    if not MIN_VOLUME <= size <= MAX_VOLUME:
        raise ValueError(f"{text!r} is not between 8MiB and 4095MiB")
    return size


def rate(text: str) -> int:
    """Return bytes a second.

    Raises:
        ValueError: ``text`` is no size, or less than a frame may need.
    """
    size = parse_size(text)
    if size < MIN_RATE:
        raise ValueError(f"a rate is {MIN_RATE} bytes a second or more")
    return size


def media_size(text: str) -> int:
    """Return the size of a medium.

    Raises:
        ValueError: it is not a size, or holds no volume and what goes with it.
    """
    size = parse_size(text)
    if size < 2 * MIN_VOLUME:
        raise ValueError(f"{text!r} is under 16MiB")
    return size


def default_volume(medium: int | None) -> int:
    """Return the bytes of a volume when ``--volume-size`` says nothing.

    On media of a known size little is left over at the end of each.
    """
    if medium is None:
        return DEFAULT_VOLUME
    return min(max(medium // 32, MIN_VOLUME), DEFAULT_VOLUME)


def _whole(text: str, low: int, high: int) -> int:
    """Return a whole number between bounds.

    Raises:
        ValueError: it is not one.
    """
    if not (text.isascii() and text.isdigit() and low <= int(text[:9]) <= high):
        raise ValueError(f"{text!r} is not a whole number from {low} to {high}")
    return int(text)
