"""All that is wrong with the volumes of a bundle, not only what came up first.

A shard that cannot be read is a loss like one that was changed: reading goes on
behind it, so that whoever has to carry the bundle again, or to repair it, knows
the whole of it (spec §3.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bundle.errors import BundleError, IntegrityError, StoreError
from bundle.format.approval import size_text
from bundle.limits import SHARD
from bundle.medium.spread import missing_volumes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundle.format.manifest import Volume
    from bundle.medium.files import ShardedFile
    from bundle.medium.reader import OpenBundle

_LISTED: Final = 1000
"""Places that an error names, at most."""


@dataclass(slots=True)
class Loss:
    """Bytes of one volume that are lost, and why; ``str`` says both."""

    name: str
    offset: int
    size: int
    reason: str
    unreadable: bool

    def __str__(self) -> str:
        return (
            f"{self.name}, bytes {self.offset} to {self.offset + self.size}: "
            f"{self.reason}"
        )


def all_damage(opened: OpenBundle, first: BundleError) -> BundleError:
    """Read every volume that is here, and return an error that names each loss.

    It is ``first``, the error that came up, where that says it all.
    """
    lost: list[Loss] = []
    missing: list[Volume] = []
    for volume, number in opened.numbered():
        try:
            file = opened.find_volume(volume, number)
        except BundleError as error:
            lost.append(
                Loss(volume.name, 0, volume.size, error.args[0], _unreadable(error))
            )
            continue
        if file is None:
            missing.append(volume)
            continue
        try:
            lost += _losses(file)
        finally:
            file.close()
    if missing and not lost:
        return missing_volumes(opened.directories, missing)
    if not missing and len(lost) < 2:
        return first
    return _error(opened, lost, missing)


def _losses(file: ShardedFile) -> Iterator[Loss]:
    """Yield what is lost of one volume, with neighbours made one."""
    buffer = memoryview(bytearray(SHARD))
    last: Loss | None = None
    for number in range(-(-file.size // SHARD)):
        offset = number * SHARD
        try:
            file.read_shard(number, buffer)
        except BundleError as error:
            reason, size = _reason(error), min(SHARD, file.size - offset)
            if last and (last.offset + last.size, last.reason) == (offset, reason):
                last.size += size
                continue
            if last:
                yield last
            last = Loss(file.path.name, offset, size, reason, _unreadable(error))
    if last:
        yield last


def _reason(error: BundleError) -> str:
    if isinstance(error.__cause__, OSError):
        return f"cannot be read: {error.__cause__.strerror}"
    return "not what was signed"


def _unreadable(error: BundleError) -> bool:
    return isinstance(error, StoreError)


def _error(opened: OpenBundle, lost: list[Loss], missing: list[Volume]) -> BundleError:
    lines = [str(one) for one in lost[:_LISTED]]
    if len(lost) > _LISTED:
        lines.append(f"and {len(lost) - _LISTED:,} more")
    if missing:
        lines.append(str(missing_volumes(opened.directories, missing)))
    size = size_text(sum(one.size for one in lost))
    places = "1 place" if len(lost) == 1 else f"{len(lost):,} places"
    message = f"{size} of the volumes are damaged or cannot be read, in {places}"
    advice = "'bundle repair' makes good what parity covers; else carry it again"
    if all(one.unreadable for one in lost):
        return StoreError(message, advice=advice, left=tuple(lines))
    return IntegrityError(message, rule="3.3.11", advice=advice, left=tuple(lines))
