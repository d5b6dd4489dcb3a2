"""What the kernel says is mounted: ``/proc/self/mountinfo``, see proc(5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

NETWORK: Final = frozenset(
    {
        "9p",
        "afs",
        "ceph",
        "cifs",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.sshfs",
        "lustre",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
    }
)
"""File systems that tell of no changes made elsewhere, and whose locks are not
what SQLite counts on."""

_OCTAL: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One mounted file system: where, of which type, from what device."""

    point: str
    kind: str
    source: str
    device: str


def parse_mounts(text: str) -> tuple[Mount, ...]:
    """Return the mounts in the text of a mountinfo file, in their order.

    Lines that are not as proc(5) says are left out.
    """
    found = []
    for line in text.splitlines():
        before, dash, rest = line.partition(" - ")
        left, right = before.split(" "), rest.split(" ")
        if dash and len(left) >= 6 and len(right) >= 2:
            point, source = _plain(left[4]), _plain(right[1])
            found.append(Mount(point, right[0], source, left[2]))
    return tuple(found)


def mount_of(path: str, mounts: Iterable[Mount]) -> Mount | None:
    """Return the mount that an absolute ``path`` is on: the deepest, then the last."""
    here = PurePosixPath(path)
    best: Mount | None = None
    for mount in mounts:
        inside = here.is_relative_to(mount.point)
        if inside and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


def _plain(text: str) -> str:
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), text)
