"""Ways to carry a directory: ours, copying, and the tools people use today.

Each contender stores a directory and restores it, in a place of its own, by
command lines that anyone can type. A verb a tool does not have is None.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = list[str]


@dataclass(frozen=True, slots=True)
class Contender:
    """Command lines that take a place of the contender's own, and the input."""

    name: str
    needs: str
    prepare: Callable[[Path], list[Command]]
    store: Callable[[Path, Path], Command]
    restore: Callable[[Path, Path], Command]
    verify: Callable[[Path], Command] | None = None

    @property
    def here(self) -> bool:
        """Whether its program is installed."""
        return shutil.which(self.needs) is not None or self.needs == sys.executable


def _shell(text: str) -> Command:
    return ["bash", "-ec", "set -o pipefail; " + text]


def _bundle(*words: str) -> Command:
    return [sys.executable, "-m", "bundle", *words, "--quiet"]


OURS = Contender(
    "bundle",
    sys.executable,
    lambda place: [_bundle("key", "init", f"{place}/keys")],
    lambda place, source: _bundle(
        "pack",
        f"tree:{source}",
        "--out",
        f"{place}/store",
        "--stream",
        "bench",
        "--key",
        f"{place}/keys",
        "--state",
        f"{place}/state",
    ),
    lambda place, out: _bundle(
        "unpack",
        f"{place}/store/bench-000001",
        "--to",
        f"tree:{out}",
        "--trust",
        f"{place}/keys/1.root.json",
    ),
    lambda place: _bundle(
        "verify",
        f"{place}/store/bench-000001",
        "--trust",
        f"{place}/keys/1.root.json",
    ),
)

COPY = Contender(
    "cp",
    "cp",
    lambda _place: [],
    lambda place, source: ["cp", "-r", f"{source}", f"{place}/store"],
    lambda place, out: ["cp", "-r", f"{place}/store", f"{out}"],
)

TAR = Contender(
    "tar | zstd -T0",
    "zstd",
    lambda place: [["mkdir", f"{place}/store"]],
    lambda place, source: _shell(
        f"tar -C {source} -cf - . | zstd -q -T0 -o {place}/store/a.tar.zst"
    ),
    lambda place, out: _shell(
        f"mkdir {out}; zstd -q -dc {place}/store/a.tar.zst | tar -C {out} -xf -"
    ),
)

CASYNC = Contender(
    "casync",
    "casync",
    lambda place: [["mkdir", f"{place}/store"]],
    lambda place, source: _shell(
        f"casync make --store={place}/store/s {place}/store/a.caidx "
        f"{source} > {place}/log"
    ),
    lambda place, out: _shell(
        f"casync extract --store={place}/store/s {place}/store/a.caidx {out}"
    ),
)

RESTIC = Contender(
    "restic",
    "restic",
    lambda place: [
        _shell(
            f"echo x > {place}/password; "
            f"restic init -q -r {place}/store -p {place}/password"
        )
    ],
    lambda place, source: _shell(
        f"cd {source}; restic backup -q --no-cache "
        f"-r {place}/store -p {place}/password ."
    ),
    lambda place, out: _shell(
        f"restic restore latest -q --no-cache -r {place}/store "
        f"-p {place}/password --target {out}"
    ),
    lambda place: _shell(
        f"restic check -q --no-cache --read-data -r {place}/store -p {place}/password"
    ),
)

_BORG = (
    "export BORG_BASE_DIR={place}/home BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes"
)

BORG = Contender(
    "borg zstd,1",
    "borg",
    lambda place: [
        _shell(_BORG.format(place=place) + f"; borg init -e none {place}/store")
    ],
    lambda place, source: _shell(
        _BORG.format(place=place)
        + f"; cd {source}; borg create -C zstd,1 {place}/store::a ."
    ),
    lambda place, out: _shell(
        _BORG.format(place=place)
        + f"; mkdir {out}; cd {out}; borg extract {place}/store::a"
    ),
    lambda place: _shell(
        _BORG.format(place=place) + f"; borg check --verify-data {place}/store"
    ),
)

ALL = (COPY, OURS, TAR, CASYNC, RESTIC, BORG)
