"""A scan is a program that runs here: its last word, its time, its fingers."""

from __future__ import annotations

import asyncio
import os
import random
import select
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from bundle.errors import TargetError
from syncd.scanning import MAX_REASON, scan
from tests.bundles import Site, no_flushing, snapshot
from tests.syncd.bastion import Bastion

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = {"noise": random.Random(3).randbytes(40_000), "text": b"EVIL\n" * 900}
HERE = {"PATH": os.defpath, "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    directory = tmp_path / "with space; $(false)"
    directory.mkdir()
    (directory / "0").write_bytes(b"content")
    return directory


def script(tmp_path: Path, text: str) -> str:
    path = tmp_path / "scan.sh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return str(path)


def run(command: list[str], staged: Path, seconds: float = 60) -> None:
    asyncio.run(scan(command, staged, seconds, HERE))


def test_what_is_clean_goes_on(tmp_path: Path, staged: Path) -> None:
    check = 'test "$1" = -d && test -f "$2/0" && test -z "$AWS_SECRET_ACCESS_KEY"'
    run([script(tmp_path, check), "-d", "{}"], staged)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo looking; echo '0: EVIL found'; echo; exit 1", "0: EVIL found$"),
        ("echo it is broken >&2; exit 2", "it is broken$"),
        ("exit 3", "it ended with 3$"),
        ("kill -9 $$", "it ended with -9$"),
        (r"printf 'a\033[2Jb\n'; exit 1", r"a\?\[2Jb$"),
        ("head -c 100000 /dev/zero | tr '\\0' x; exit 1", f": x{{{MAX_REASON}}}$"),
    ],
)
def test_anything_else_is_a_refusal_in_its_words(
    tmp_path: Path, staged: Path, text: str, said: str
) -> None:
    with pytest.raises(TargetError, match=said):
        run([script(tmp_path, text), "{}"], staged)


def test_one_that_takes_too_long_ends_with_all_that_it_started(
    tmp_path: Path, staged: Path
) -> None:
    child = tmp_path / "child"
    text = f"sleep 1000 & echo $! > '{child}'; wait"
    with pytest.raises(TargetError, match="more than 3 s"):
        run([script(tmp_path, text), "{}"], staged, seconds=3)
    with suppress(ProcessLookupError):
        ended = os.pidfd_open(int(child.read_text()))
        assert select.select([ended], [], [], 30)[0]
        os.close(ended)


def test_one_that_is_not_there_is_named(tmp_path: Path, staged: Path) -> None:
    with pytest.raises(TargetError, match=r"cannot be run: .*/none: No such file"):
        run([str(tmp_path / "none"), "{}"], staged)


def test_one_that_changes_a_file_is_not_believed(tmp_path: Path, staged: Path) -> None:
    with pytest.raises(TargetError, match="changed what it looked at"):
        run([script(tmp_path, 'echo x > "$1/0"'), "{}"], staged)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with no_flushing():
        yield Site(tmp_path / "sender")


def test_what_a_scan_refuses_is_not_published(site: Site, tmp_path: Path) -> None:
    found = script(tmp_path, 'grep -rl EVIL "$1" >/dev/null && echo EVIL && exit 1')
    bastion = Bastion(tmp_path / "bastion")
    clean = bastion.target("clean", scan=("/bin/ls", "{}"))
    bastion.targets = (bastion.target("tree", scan=(found, "{}")), clean)
    bastion.plug(site.packed(FILES))
    bastion.settle(site)
    assert not bastion.tree.exists()
    assert bastion.published("clean") == snapshot(site.path / "tree")
    (told,) = bastion.history(site, "unpublished")
    assert told["reason"] == "the scan refused it: EVIL"
