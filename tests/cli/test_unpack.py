from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.caches import repository, write_cache
from tests.cli.conftest import contents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shell import Shell


@pytest.fixture
def cached(sender: Shell) -> Path:
    """A bundle of a model cache with one repository."""
    files = {"config.json": b'{"model_type": "bert"}', "model.safetensors": b"w" * 4096}
    write_cache(sender.home / "hub", repository(files))
    sender.ok("pack", f"hf-cache:{sender.home / 'hub'}")
    return sender.home / "out/docs-000001"


def test_it_says_what_was_written_where(receiver: Shell, packed: Path) -> None:
    target = f"tree:{receiver.home / 'srv'}"
    ran = receiver.ok("unpack", packed, "--to", target)
    assert ran.lines[0] == "kind name target written size kept"
    assert ran.lines[1].startswith(f"tree manuals {target} 4 ")
    assert ran.lines[2].startswith("release 1 of docs: 4 files written, ")


def test_the_second_run_has_nothing_to_write(receiver: Shell, packed: Path) -> None:
    target = f"tree:{receiver.home / 'srv'}"
    receiver.ok("unpack", packed, "--to", target)
    ran = receiver.ok("unpack", packed, "--to", target)
    assert ran.lines[-1] == "release 1 of docs: nothing to write, all of it is there"
    ran = receiver.ok("unpack", packed, "--to", target, "--json")
    assert (ran.result["writtenFiles"], ran.result["keptFiles"]) == (0, 4)


def test_several_targets_get_the_same(receiver: Shell, packed: Path) -> None:
    one, two = receiver.home / "one", receiver.home / "two"
    ran = receiver.ok("unpack", packed, "--to", f"tree:{one}", f"tree:{two}", "--json")
    assert [placed["target"] for placed in ran.of("placed")] == [
        f"tree:{one}",
        f"tree:{two}",
    ]
    assert contents(one) == contents(two)


def test_a_target_named_twice_is_one(receiver: Shell, packed: Path) -> None:
    target = f"tree:{receiver.home / 'srv'}"
    ran = receiver.ok("unpack", packed, "--to", target, "--to", target, "--json")
    assert len(ran.of("placed")) == 1


def test_what_no_target_takes_is_listed(receiver: Shell, packed: Path) -> None:
    ran = receiver("unpack", packed, "--to", f"hf-home:{receiver.home / 'hf'}")
    assert ran.code == 20
    assert ran.err.splitlines()[0] == "bundle: not unpacked: 1 artifact"
    assert "tree manuals" in ran.err.splitlines()[1]
    assert "nothing to write" not in ran.out
    ran = receiver("unpack", packed, "--to", f"hf-home:{receiver.home}", "--json")
    assert ran.error["left"] == ran.result["left"]


@pytest.mark.parametrize(
    ("scheme", "variable"), [("hf-home", "HF_HOME"), ("hf-cache", "HF_HUB_CACHE")]
)
def test_a_cache_says_which_variables_to_set(
    receiver: Shell, cached: Path, scheme: str, variable: str
) -> None:
    place = receiver.home / "hf"
    ran = receiver.ok("unpack", cached, "--to", f"{scheme}:{place}")
    assert any(line.startswith(f"{variable}={place} #") for line in ran.lines)
    assert any(line.startswith("HF_HUB_OFFLINE=1 #") for line in ran.lines)


def test_copies_take_the_place_of_links(receiver: Shell, cached: Path) -> None:
    place = receiver.home / "hf"
    receiver.ok("unpack", cached, "--to", f"hf-cache:{place}", "--copy")
    assert not [path for path in place.rglob("*") if path.is_symlink()]


REFUSED = {
    "a target of an unknown kind": (["--to", "s3:bucket"], 2),
    "a target without a path": (["--to", "tree:"], 2),
    "a target below nothing": (["--to", "tree:{home}/a/b"], 14),
    "a target that is a file": (["--to", "tree:{home}/file"], 14),
}


@pytest.mark.parametrize(("words", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_is_refused(receiver: Shell, packed: Path, words: list[str], code: int) -> None:
    (receiver.home / "file").touch()
    before = sorted(receiver.home.iterdir())
    ran = receiver(
        "unpack", packed, *(word.format(home=receiver.home) for word in words)
    )
    assert ran.code == code, ran.err
    assert sorted(receiver.home.iterdir()) == before


def test_an_older_release_is_refused(sender: Shell, receiver: Shell) -> None:
    target = f"tree:{receiver.home / 'srv'}"
    for _ in range(2):
        sender.ok("pack", f"tree:{sender.home / 'manuals'}")
    receiver.ok("unpack", sender.home / "out/docs-000002", "--to", target)
    ran = receiver("unpack", sender.home / "out/docs-000001", "--to", target)
    assert ran.code == 12
    assert "roll-back" in ran.err


def test_quiet_says_nothing(receiver: Shell, packed: Path) -> None:
    target = f"tree:{receiver.home / 'srv'}"
    ran = receiver.ok("unpack", packed, "--to", target, "--quiet")
    assert (ran.out, ran.err) == ("", "")


def test_what_left_the_stream_is_removed_when_asked(
    sender: Shell, receiver: Shell
) -> None:
    first, second = sender.home / "first", sender.home / "second"
    for directory, name in ((first, "a.txt"), (second, "b.txt")):
        directory.mkdir()
        (directory / name).write_text(name)
    sender.ok("pack", f"tree:{first}", f"tree:{second}")
    sender.ok("pack", f"tree:{second}")
    out, target = sender.home / "out", receiver.home / "srv"
    to = ("--to", f"tree:{target}")
    receiver.ok("unpack", out / "docs-000001", *to)
    kept = receiver.ok("unpack", out / "docs-000002", *to, "--prune", "--json")
    assert (target / "a.txt").exists()
    assert kept.result["removedFiles"] == 0
    assert kept.result["stays"] == []
    pruning = (*to, "--prune", "--keep-releases", "1")
    ran = receiver.ok("unpack", out / "docs-000002", *pruning, "--json")
    assert [path.name for path in target.glob("*.txt")] == ["b.txt"]
    [pruned] = ran.of("pruned")
    assert pruned["target"] == f"tree:{target}"
    assert (pruned["removedFiles"], pruned["removedBytes"]) == (1, 5)
    assert ran.result["removedFiles"] == 1


def test_what_was_removed_and_what_stayed_is_said(
    sender: Shell, receiver: Shell
) -> None:
    first = sender.home / "first"
    first.mkdir()
    for name in ("a.txt", "b.txt", "c.txt"):
        (first / name).write_text(name)
    sender.ok("pack", f"tree:{first}")
    (first / "a.txt").unlink()
    (first / "b.txt").unlink()
    sender.ok("pack", f"tree:{first}")
    out, target = sender.home / "out", receiver.home / "srv"
    receiver.ok("unpack", out / "docs-000001", "--to", f"tree:{target}")
    (target / "b.txt").write_text("mine")
    ran = receiver.ok(
        "unpack", out / "docs-000002", "--to", f"tree:{target}", "--prune"
    )
    assert f"tree:{target}: 1 file removed that left the stream, 5 B" in ran.lines
    assert "b.txt: changed since it was published" in ran.err
