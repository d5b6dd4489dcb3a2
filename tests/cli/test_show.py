from __future__ import annotations

import base64
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import contents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shell import Shell


def test_ls_lists_artifacts(receiver: Shell, packed: Path) -> None:
    ran = receiver.ok("ls", packed)
    assert ran.lines[0] == "kind name revision files size licence"
    assert ran.lines[1].startswith("tree manuals 4 ")


def test_ls_lists_the_files_of_an_artifact(
    sender: Shell, receiver: Shell, packed: Path
) -> None:
    ran = receiver.ok("ls", packed, "manuals")
    assert [line.split()[-1] for line in ran.lines] == [
        "empty",
        "figure.png",
        "install/part-1.md",
        "install/part-2.md",
    ]
    assert ran.lines[1].startswith("file ")
    assert " 200,000 figure.png" in ran.lines[1]
    sizes = {
        path: len(data) for path, data in contents(sender.home / "manuals").items()
    }
    events = receiver.ok("ls", packed, "tree/manuals", "--json").of("file")
    assert {event["path"]: event["size"] for event in events} == sizes


def test_ls_long_lists_all(receiver: Shell, packed: Path) -> None:
    ran = receiver.ok("ls", "-l", packed)
    assert ran.lines[3] == "tree manuals"
    assert len(ran.lines) == 8
    ran = receiver.ok("ls", "--long", packed, "--json")
    assert (len(ran.of("artifact")), len(ran.of("file"))) == (1, 4)


def test_inspect_shows_release_and_bundle(receiver: Shell, packed: Path) -> None:
    ran = receiver.ok("inspect", packed)
    headings = [line.split()[0] for line in ran.lines]
    assert headings[:4] == ["release", "digest", "follows", "created"]
    assert "signed" in headings
    assert ran.lines[-1].startswith("vol-00001.bdv ")
    result = receiver.ok("inspect", packed, "--json").result
    assert (result["stream"]["name"], result["seq"]) == ("docs", 1)
    assert result["budgets"]["files"] == 4
    assert result["requires"] == 0
    assert [volume["name"] for volume in result["volumes"]] == ["vol-00001.bdv"]


@pytest.mark.parametrize("verb", ["ls", "inspect", "cat"])
def test_an_untrusted_bundle_is_not_shown(
    sender: Shell, packed: Path, verb: str
) -> None:
    words = ["manuals", "empty"] if verb == "cat" else []
    ran = sender(verb, packed, *words)
    assert (ran.code, ran.out) == (12, "")


@pytest.mark.parametrize("verb", ["ls", "inspect"])
def test_quiet_still_shows_what_was_asked_for(
    receiver: Shell, packed: Path, verb: str
) -> None:
    assert receiver.ok(verb, packed, "--quiet").out.count("\n") > 1


@pytest.mark.parametrize(
    ("artifact", "path"),
    [
        ("manuals", "figure.png"),
        ("tree/manuals", "install/part-2.md"),
        ("manuals", "part-1.md"),
        ("manuals", "empty"),
    ],
    ids=["raw", "by kind and name", "by the end of its path", "empty"],
)
def test_cat_writes_the_bytes(
    sender: Shell, receiver: Shell, packed: Path, artifact: str, path: str
) -> None:
    ran = receiver.ok("cat", packed, artifact, path)
    files = contents(sender.home / "manuals")
    (expected,) = [data for name, data in files.items() if name.endswith(path)]
    assert ran.data == expected
    ran = receiver.ok("cat", packed, artifact, path, "--json")
    pieces = ran.of("content")
    assert b"".join(base64.b64decode(one["base64"]) for one in pieces) == expected
    assert ran.result["size"] == len(expected)
    offset = 0
    for piece in pieces:
        assert piece["offset"] == offset
        offset += len(base64.b64decode(piece["base64"]))


def test_cat_writes_nothing_of_a_damaged_chunk(receiver: Shell, packed: Path) -> None:
    volume = packed / "vol-00001.bdv"
    data = bytearray(volume.read_bytes())
    data[1000] ^= 1
    volume.write_bytes(data)
    ran = receiver("cat", packed, "manuals", "figure.png")
    assert (ran.code, ran.data) == (11, b"")


NOT_THERE = {
    "an artifact that does not exist": (["model", "x"], "here are: tree/manuals"),
    "a file that does not exist": (["manuals", "x"], "bundle ls"),
    "the end of several paths": (["manuals", "md"], "bundle ls"),
}


@pytest.mark.parametrize(("words", "said"), NOT_THERE.values(), ids=NOT_THERE.keys())
def test_cat_finds_nothing(
    receiver: Shell, packed: Path, words: list[str], said: str
) -> None:
    ran = receiver("cat", packed, *words)
    assert ran.code == 13
    assert said in ran.err


def test_what_another_bundle_carries_is_not_shown(sender: Shell) -> None:
    more = sender.home / "more"
    more.mkdir()
    (more / "x").write_text("x")
    sender.ok("pack", f"tree:{sender.home / 'manuals'}")
    sender.ok("pack", f"tree:{more}", "--add")
    bundle = sender.home / "out/docs-000002"
    sender.variables["BUNDLE_TRUST"] = str(sender.home / "keys/1.root.json")
    assert sender.ok("ls", bundle).lines[1].endswith("not carried here")
    assert sender.ok("ls", "-l", bundle).lines[-2:-1] == ["tree more"]
    for words in (["ls", bundle, "manuals"], ["cat", bundle, "manuals", "empty"]):
        ran = sender(*words)
        assert ran.code == 13
        assert "its recipe is not in this bundle" in ran.err


def test_a_name_that_fits_several_files_is_refused(sender: Shell) -> None:
    for name in ("a", "b"):
        (sender.home / "manuals" / name).mkdir()
        (sender.home / "manuals" / name / "same").write_text(name)
    sender.ok("pack", f"tree:{sender.home / 'manuals'}")
    bundle = sender.home / "out/docs-000001"
    trust = ["--trust", sender.home / "keys/1.root.json"]
    ran = sender("cat", bundle, "manuals", "same", *trust)
    assert ran.code == 13
    assert "say which: a/same, b/same" in ran.err
    assert sender.ok("cat", bundle, "manuals", "b/same", *trust).data == b"b"


def test_cat_to_a_terminal_writes_control_characters_out(sender: Shell) -> None:
    tree = sender.home / "tree"
    tree.mkdir()
    (tree / "motd").write_bytes(b"hello\x1b[2J\xff\n")
    sender.ok("pack", f"tree:{tree}")
    words = ["cat", str(sender.home / "out/docs-000001"), "tree", "motd"]
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "bundle", *words],
        env={
            **sender.environment,
            "BUNDLE_TRUST": str(sender.home / "keys/1.root.json"),
        },
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    os.close(theirs)
    assert os.read(ours, 1000) == b"hello\\x1b[2J\\xff\r\n"
    os.close(ours)
