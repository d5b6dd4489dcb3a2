"""What a person reads who carries a bundle on several media, or on a bad one."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import contents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shell import Shell


@pytest.fixture
def noise(sender: Shell) -> Path:
    """A tree that takes three small volumes."""
    tree = sender.home / "noise"
    tree.mkdir()
    for number in range(2):
        data = random.Random(number).randbytes(10 << 20)
        (tree / f"{number}.bin").write_bytes(data)
    return tree


@pytest.fixture
def large(sender: Shell, noise: Path) -> Path:
    """A bundle of three volumes."""
    sender.ok("pack", f"tree:{noise}", "--volume-size", "8MiB")
    return sender.home / "out/docs-000001"


@pytest.fixture
def sticks(large: Path, tmp_path: Path) -> list[Path]:
    """The same bundle spread over three sticks, a volume on each."""
    media = [tmp_path / f"usb{n}/docs-000001-{n}-of-3" for n in (1, 2, 3)]
    for number, medium in enumerate(media, start=1):
        shutil.copytree(large, medium)
        for path in medium.glob("vol-*"):
            if path.name != f"vol-0000{number}.bdv":
                path.unlink()
    return media


def test_all_sticks_in_any_order_are_the_bundle(
    receiver: Shell, noise: Path, sticks: list[Path]
) -> None:
    ran = receiver.ok("verify", *reversed(sticks))
    assert ran.lines[-1].endswith("2 files, 20.0 MiB, 3 volumes")
    ran = receiver.ok("verify", *sticks, "--json")
    assert ran.result["bundle"] == str(sticks[0])
    target = receiver.home / "srv"
    receiver.ok("unpack", sticks[2], sticks[0], sticks[1], "--to", f"tree:{target}")
    assert contents(target) == contents(noise)


@pytest.mark.parametrize("verb", ["verify", "unpack"])
def test_a_stick_that_is_not_here_is_asked_for(
    receiver: Shell, sticks: list[Path], verb: str
) -> None:
    target = receiver.home / "srv"
    words = ["--to", f"tree:{target}"] if verb == "unpack" else []
    ran = receiver(verb, sticks[2], *words)
    assert ran.code == 13
    first, advice = ran.err.splitlines()
    assert first.startswith("bundle: 1 of 3 media seen; need vol-00001…vol-00002 (1")
    assert "name the directories that have them too" in advice
    assert receiver(verb, sticks[2], sticks[0], *words).err.startswith(
        "bundle: 2 of 3 media seen; need vol-00002 ("
    )
    assert not target.exists()


def test_sticks_of_two_bundles_are_told_apart(
    sender: Shell, receiver: Shell, sticks: list[Path]
) -> None:
    sender.ok("pack", f"tree:{sender.home / 'manuals'}")
    ran = receiver("verify", sticks[0], sender.home / "out/docs-000002")
    assert ran.code == 11
    assert "are not of one bundle: their bundle.json differ" in ran.err


def test_a_pack_spreads_what_one_medium_does_not_hold(
    sender: Shell, receiver: Shell, noise: Path
) -> None:
    ran = sender.ok("pack", f"tree:{noise}", "--media-size", "18MiB")
    out = sender.home / "out"
    media = [out / f"docs-000001-{number}-of-2" for number in (1, 2)]
    assert ran.lines[-3] == "spread over 2 media, each a directory"
    assert ran.lines[-2:] == [str(medium) for medium in media]
    assert f"bundle verify {media[0]} {media[1]} --trust" in ran.err
    assert "bundle unpack docs-000001-1-of-2 docs-000001-2-of-2 --to TARGET" in ran.err
    receiver.ok("verify", *media)
    ran = receiver("verify", media[0])
    assert ran.err.startswith("bundle: 1 of 2 media seen; need vol-00003 (")
    sender.ok("pack", f"tree:{noise}", "--media-size", "18MiB", "--quiet")
    ran = sender.ok("pack", f"tree:{noise}", "--media-size", "1GB", "--json")
    assert ran.result["media"] == [str(out / "docs-000003")]


MEDIA = {
    "smaller than a volume": (["--media-size", "16MiB", "--volume-size", "32MiB"], 2),
    "too small for anything": (["--media-size", "1MiB"], 2),
    "as large as a volume": (["--media-size", "16MiB", "--volume-size", "16MiB"], 14),
}


@pytest.mark.parametrize(("words", "code"), MEDIA.values(), ids=MEDIA.keys())
def test_media_are_refused_that_are(
    sender: Shell, noise: Path, words: list[str], code: int
) -> None:
    ran = sender("pack", f"tree:{noise}", *words)
    assert ran.code == code, ran.err
    assert not [*(sender.home / "out").glob("*")]


def test_all_damage_is_listed(receiver: Shell, large: Path) -> None:
    for number in (1, 3):
        with (large / f"vol-0000{number}.bdv").open("r+b") as file:
            file.seek(100)
            file.write(b"damage")
    ran = receiver("verify", large)
    assert ran.code == 11
    first, *listed, advice = ran.err.splitlines()
    assert first == (
        "bundle: 2.0 MiB of the volumes are damaged or cannot be read, in 2 places "
        "(rule 3.3.11)"
    )
    assert [line.strip() for line in listed] == [
        "vol-00001.bdv, bytes 0 to 1048576: not what was signed",
        "vol-00003.bdv, bytes 0 to 1048576: not what was signed",
    ]
    assert "bundle repair" in advice
    assert len(receiver("verify", large, "--json").error["left"]) == 2


# -- pipes ---------------------------------------------------------------------


def test_a_pipe_from_one_machine_to_another(
    receiver: Shell, noise: Path, sticks: list[Path]
) -> None:
    """Two processes and nothing between them but a pipe."""
    words = [sys.executable, "-m", "bundle"]
    target = receiver.home / "srv"
    with subprocess.Popen(
        [*words, "export", *sticks],
        env=receiver.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as sending:
        ran = subprocess.run(
            [*words, "unpack", "-", "--to", f"tree:{target}"],
            env=receiver.environment,
            stdin=sending.stdout,
            capture_output=True,
            text=True,
            check=False,
        )
        _, said = sending.communicate()
    assert (sending.returncode, ran.returncode) == (0, 0), ran.stderr
    assert "release 1 of docs: 2 files written, 20.0 MiB" in ran.stdout
    assert said.decode() == "release 1 of docs: 20.0 MiB written, 3 volumes\n"
    assert contents(target) == contents(noise)


def test_a_stream_that_broke_off_publishes_nothing(
    receiver: Shell, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = receiver.ok("export", large, "--quiet").data
    broken = io.TextIOWrapper(io.BytesIO(data[: 15 << 20]))
    monkeypatch.setattr(sys, "stdin", broken)
    ran = receiver("unpack", "-", "--to", f"tree:{receiver.home / 'srv'}")
    assert ran.code == 11
    assert ran.err.splitlines() == [
        "bundle: the stream ends at byte 15728640 (rule 80.1.10)",
        "the sender stopped, or the connection broke: send it again",
    ]
    assert not contents(receiver.home / "srv")


def test_a_stream_is_no_place_for_words(receiver: Shell, packed: Path) -> None:
    assert receiver("export", packed, "--json").error["exitCode"] == 2
    ran = receiver("unpack", "-", packed, "--to", "tree:x")
    assert (ran.code, ran.out) == (2, "")
