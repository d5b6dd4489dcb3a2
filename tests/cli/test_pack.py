from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

import pytest

from bundle.medium import readback
from tests.cli.conftest import contents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shell import Shell


def manuals(sender: Shell) -> str:
    """The source of the sender's tree."""
    return f"tree:{sender.home / 'manuals'}"


def test_it_prints_what_is_packed_and_what_to_do_next(sender: Shell) -> None:
    ran = sender.ok("pack", manuals(sender))
    bundle = sender.home / "out/docs-000001"
    assert ran.lines[0] == "kind name revision files size new licence"
    assert ran.lines[1].startswith("tree manuals 4 ")
    assert ran.lines[2].startswith("release 1 of docs: 4 files, ")
    assert ran.lines[-1] == str(bundle)
    assert f"bundle verify {bundle} --trust {sender.home}/keys/1.root.json" in ran.err
    assert "bundle unpack docs-000001 --to TARGET" in ran.err


def test_what_it_says_to_do_next_works(sender: Shell) -> None:
    ran = sender.ok("pack", manuals(sender))
    (command,) = [line for line in ran.err.splitlines() if "bundle verify" in line]
    sender.ok(*command.split()[1:])


def test_quiet_prints_the_bundle_alone(sender: Shell) -> None:
    ran = sender.ok("pack", manuals(sender), "--quiet")
    assert ran.out == f"{sender.home}/out/docs-000001\n"
    assert ran.err == ""


def test_a_program_gets_artifacts_and_a_result(sender: Shell) -> None:
    ran = sender.ok("pack", manuals(sender), "--json")
    (artifact,) = ran.of("artifact")
    assert (artifact["kind"], artifact["name"]) == ("tree", "manuals")
    assert ran.result["bundle"] == str(sender.home / "out/docs-000001")
    assert ran.result["dryRun"] is False
    assert ran.err == ""


def test_a_dry_run_tells_the_same_and_writes_nothing(sender: Shell) -> None:
    tried = sender.ok("pack", manuals(sender), "--dry-run", "--json").result
    assert not (sender.home / "out").exists()
    done = sender.ok("pack", manuals(sender), "--json").result
    for member in ("seq", "files", "bytes", "newBytes", "reusedBytes", "volumes"):
        assert tried[member] == done[member]
    assert tried["neededBytes"] >= done["storedBytes"] > 0
    assert (tried["bundle"], tried["release"], tried["dryRun"]) == (None, None, True)


def test_a_dry_run_says_what_space_is_needed(sender: Shell) -> None:
    ran = sender.ok("pack", manuals(sender), "--dry-run")
    assert ran.lines[-2].startswith("at most ")
    assert ran.lines[-1] == "nothing was written"
    assert "next:" not in ran.err


def test_the_second_bundle_has_the_next_number(sender: Shell) -> None:
    sender.ok("pack", manuals(sender))
    ran = sender.ok("pack", manuals(sender), "--json")
    assert ran.result["seq"] == 2
    assert ran.result["bundle"].endswith("docs-000002")


def test_volumes_have_the_size_that_was_asked_for(sender: Shell) -> None:
    data = random.Random(2).randbytes(20 << 20)
    (sender.home / "manuals/video.mp4").write_bytes(data)
    ran = sender.ok("pack", manuals(sender), "--volume-size", "8MiB", "--json")
    assert ran.result["volumes"] == 3
    sizes = [path.stat().st_size for path in (sender.home / "out").rglob("vol-*")]
    assert max(sizes) <= 8 << 20


@pytest.mark.parametrize(
    ("options", "files"),
    [
        (["--include", "*.md"], 2),
        (["--exclude", "manuals/install/*"], 2),
        (["--include", "*.md", "--include", "*/empty", "--exclude", "*-2.md"], 2),
    ],
    ids=["include", "exclude", "several"],
)
def test_globs_choose_files(sender: Shell, options: list[str], files: int) -> None:
    ran = sender.ok("pack", manuals(sender), *options, "--json")
    assert ran.result["files"] == files


def test_a_damaged_source_ends_the_pack(sender: Shell) -> None:
    (sender.home / "manuals/broken").symlink_to("nowhere")
    ran = sender("pack", manuals(sender))
    assert ran.code == 15
    assert "broken" in ran.err.splitlines()[0]
    assert not list((sender.home / "out").glob("*"))


def test_keep_going_packs_the_rest_and_lists_what_was_left(sender: Shell) -> None:
    (sender.home / "manuals/broken").symlink_to("nowhere")
    ran = sender("pack", manuals(sender), "--keep-going")
    assert ran.code == 20
    assert "bundle: left out: 1 problem" in ran.err
    assert "broken" in ran.err
    assert ran.lines[-1].endswith("docs-000001")
    (sender.home / "manuals/broken").unlink()
    assert sender("verify", ran.lines[-1], "--trust", _root(sender)).code == 0


def test_keep_going_gives_a_program_result_and_error(sender: Shell) -> None:
    (sender.home / "manuals/broken").symlink_to("nowhere")
    ran = sender("pack", manuals(sender), "--keep-going", "--json")
    assert ran.code == 20
    assert ran.events[-2]["event"] == "result"
    assert ran.error["class"] == "PartialError"
    assert ran.error["left"] == ran.result["problems"]


def test_what_a_reviewer_should_know_is_said_once(sender: Shell) -> None:
    (sender.home / "manuals/old.pkl").write_bytes(b"\x80\x04N.")
    ran = sender.ok("pack", manuals(sender))
    (line,) = [line for line in ran.err.splitlines() if "old.pkl" in line]
    assert line.startswith("bundle: warning: manuals: ")
    ran = sender.ok("pack", manuals(sender), "--json")
    assert len(ran.of("warning")) == 1
    assert len(ran.of("artifact")[0]["warnings"]) == 1


def test_a_hostile_name_does_not_reach_the_terminal(sender: Shell) -> None:
    (sender.home / "manuals/a\x1b[2Jb\n\u202e").touch()
    ran = sender("pack", manuals(sender))
    assert ran.code == 15
    assert "\x1b" not in ran.err
    assert "\u202e" not in ran.err
    assert "\\x1b[2Jb" in ran.err


REFUSED = {
    "a source of an unknown kind": (["pack", "ftp:x"], 2),
    "a source that is not there": (["pack", "tree:{home}/nothing"], 15),
    "a key that is not there": (
        ["pack", "tree:{home}/manuals", "--key", "{home}/n"],
        13,
    ),
    "an output below nothing": (
        ["pack", "tree:{home}/manuals", "--out", "{home}/a/b"],
        14,
    ),
    "a release to follow that is not there": (
        ["pack", "tree:{home}/manuals", "--after", "{home}/nothing"],
        13,
    ),
    "one tree twice": (["pack", "tree:{home}/manuals", "tree:{home}/manuals"], 15),
    "a stream with a slash": (["pack", "tree:{home}/manuals", "--stream", "a/b"], 2),
    "a site with a blank": (["pack", "tree:{home}/manuals", "--audience", "a b"], 2),
}


@pytest.mark.parametrize(("words", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_is_refused(sender: Shell, words: list[str], code: int) -> None:
    ran = sender(*(word.format(home=sender.home) for word in words))
    assert ran.code == code, ran.err
    assert ran.err.startswith("bundle: ")
    assert "unexpected" not in ran.err
    assert not (sender.home / "out/docs-000001").exists()


def test_adding_keeps_what_was_there(sender: Shell) -> None:
    more = sender.home / "more"
    more.mkdir()
    (more / "x").write_text("x")
    sender.ok("pack", manuals(sender))
    bundle = sender.ok("pack", f"tree:{more}", "--add", "--json").result["bundle"]
    ran = sender.ok("ls", bundle, "--trust", _root(sender), "--json")
    names = {artifact["name"]: artifact["state"] for artifact in ran.of("artifact")}
    assert names == {"manuals": "not carried", "more": "carried"}


def test_a_dry_run_says_what_a_delta_takes(sender: Shell, packed: Path) -> None:
    (sender.home / "manuals/new.png").write_bytes(random.Random(3).randbytes(400_000))
    options = ("--base", packed, "--dry-run")
    ran = sender.ok("pack", manuals(sender), *options)
    assert ran.lines[2].endswith("390.6 KiB new, 398.2 KiB reused")
    assert ran.lines[3] == (
        "against release 1, by the bundle docs-000001; takes 5 chunks for granted"
    )
    assert re.fullmatch(
        r"at most 39\d\.\d KiB in 1 volume, 1 s to copy at .*", ran.lines[4]
    )
    assert ran.lines[4].endswith(" 100 MB/s")
    result = sender.ok("pack", manuals(sender), *options, "--json").result
    assert (result["newBytes"], result["required"]) == (400_000, 5)
    assert (result["copyRate"], result["copySeconds"]) == (100_000_000, 1)
    assert result["against"] == "release 1, by the bundle docs-000001"


def test_a_full_bundle_is_against_nothing(sender: Shell) -> None:
    ran = sender.ok("pack", manuals(sender))
    assert not [line for line in ran.lines if line.startswith("against")]
    assert sender.ok("pack", manuals(sender), "--json").result["against"] is None


def test_a_destination_is_remembered(sender: Shell, receiver: Shell) -> None:
    bundle = sender.ok("pack", manuals(sender), "--dest", "lab", "--quiet").out.strip()
    back = receiver.home / "back"
    words = ("--to", f"tree:{receiver.home / 'srv'}", "--receipt-to", back)
    receiver.ok("unpack", bundle, *words)
    [receipt] = back.iterdir()
    ran = sender.ok("pack", manuals(sender), "--have", receipt, "--dest", "lab")
    assert "site default is not verified" in ran.err
    assert "against release 1, by site default; takes 0 chunks for granted" in ran.lines
    result = sender.ok("pack", manuals(sender), "--dest", "lab", "--json").result
    assert (result["newBytes"], result["volumes"]) == (0, 0)


def test_nothing_acknowledged_is_said(sender: Shell) -> None:
    ran = sender.ok("pack", manuals(sender), "--dest", "lab")
    assert "lab has acknowledged nothing of docs yet: the bundle is full" in ran.err


def test_what_was_sent_counts_when_told(sender: Shell) -> None:
    far = ("--dest", "lab", "--assume-delivered")
    sender.ok("pack", manuals(sender), *far)
    ran = sender.ok("pack", manuals(sender), *far)
    assert any("what was sent to lab" in line for line in ran.lines)
    assert sender.ok("pack", manuals(sender), *far, "--json").result["newBytes"] == 0
    again = (*far, "--overlap", "9", "--json")
    assert sender.ok("pack", manuals(sender), *again).result["newBytes"] > 0


FAR_SIDE = {
    "an overlap of a full bundle": (["--overlap", "1"], 2),
    "an overlap that is no number": (["--dest", "lab", "--overlap", "some"], 2),
    "an overlap of more than is remembered": (["--dest", "lab", "--overlap", "32"], 2),
    "an assumption about nobody": (["--assume-delivered"], 2),
    "a destination with a slash": (["--dest", "a/b"], 2),
    "a receipt that is not there": (["--have", "{home}/nothing"], 13),
    "a receipt that is none": (["--have", "{home}/manuals/figure.png"], 10),
    "a base that is not there": (["--base", "{home}/nothing"], 13),
    "a want that is not there": (["--fill", "{home}/nothing"], 13),
    "a want that is none": (["--fill", "{home}/manuals/figure.png"], 10),
    "a want and a base": (["--fill", "{home}/x", "--base", "{home}/y"], 2),
}


@pytest.mark.parametrize(("words", "code"), FAR_SIDE.values(), ids=FAR_SIDE.keys())
def test_of_the_far_side_is_refused(sender: Shell, words: list[str], code: int) -> None:
    options = (word.format(home=sender.home) for word in words)
    ran = sender("pack", manuals(sender), *options)
    assert ran.code == code, ran.err
    assert "unexpected" not in ran.err
    assert not list((sender.home / "out").glob("*/bundle.json"))


def test_what_comes_out_is_what_went_in(sender: Shell, receiver: Shell) -> None:
    bundle = sender.ok("pack", manuals(sender), "--quiet").out.strip()
    receiver.ok("unpack", bundle, "--to", f"tree:{receiver.home / 'srv'}")
    assert contents(receiver.home / "srv") == contents(sender.home / "manuals")


def _root(sender: Shell) -> Path:
    return sender.home / "keys/1.root.json"


def test_media_are_read_back_where_that_is_asked_for(sender: Shell) -> None:
    ran = sender.ok("pack", manuals(sender), "--verify-media", "--parity", "10")
    assert "read back from the medium: safe to remove once it is unmounted" in ran.lines
    assert sender.ok("pack", manuals(sender), "--json").result["readBack"] is False
    ran = sender.ok("pack", manuals(sender), "--verify-media", "--json")
    assert ran.result["readBack"] is True


def test_a_medium_that_gives_back_something_else_is_not_safe(
    sender: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the pack wrote and what the medium then has are not the same."""
    forget = readback.forget

    def lose(path: Path) -> None:
        if path.suffix == ".bdv":
            with path.open("r+b") as file:
                file.seek(300)
                file.write(b"\0\0\0\0")
        forget(path)

    monkeypatch.setattr(readback, "forget", lose)
    ran = sender("pack", manuals(sender), "--verify-media")
    assert ran.code == 11
    assert "safe to remove" not in ran.out
    assert "the medium is bad: do not carry" in ran.err


def test_a_dry_run_counts_parity_and_media(sender: Shell) -> None:
    for number in range(3):
        data = random.Random(number).randbytes(10 << 20)
        (sender.home / f"manuals/{number}.bin").write_bytes(data)
    options = ("--media-size", "18MiB", "--parity", "10")
    tried = sender.ok("pack", manuals(sender), *options, "--dry-run")
    assert re.fullmatch(
        r"at most 3\d\.\d MiB in 4 volumes and 4\.\d MiB of parity on 3 media, "
        r"1 s to copy at 100 MB/s",
        tried.lines[-2],
    )
    tried = sender.ok("pack", manuals(sender), *options, "--dry-run", "--json")
    done = sender.ok("pack", manuals(sender), *options, "--json").result
    assert tried.result["mediaCount"] == done["mediaCount"] == len(done["media"]) + 1
    assert done["parityBytes"] == pytest.approx(tried.result["parityBytes"], rel=0.05)
    assert done["parityBytes"] == done["parity"]["bytes"]
    assert tried.result["media"] == []


def test_media_that_are_too_small_are_told_of_by_a_dry_run(sender: Shell) -> None:
    (sender.home / "manuals/1.bin").write_bytes(random.Random(1).randbytes(20 << 20))
    options = ("--media-size", "16MiB", "--volume-size", "16MiB", "--dry-run")
    ran = sender("pack", manuals(sender), *options)
    assert ran.code == 14
    assert "are too small" in ran.err
