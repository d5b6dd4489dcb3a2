"""``bundle store``: what a person does with a store, and what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import contents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shell import Shell


def flip(path: Path, offset: int) -> None:
    """Damage one byte of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


@pytest.fixture
def store(receiver: Shell, packed: Path) -> Path:
    """A store with the first release of the manuals."""
    directory = receiver.home / "store"
    receiver.ok("store", "add", packed, directory)
    return directory


def again(sender: Shell, text: str) -> Path:
    """Pack the manuals once more, with another text in them."""
    (sender.home / "manuals/install/part-1.md").write_text(text * 500)
    done = sender.ok("pack", f"tree:{sender.home / 'manuals'}", "--json")
    return sender.home / "out" / str(done.result["bundle"]).rpartition("/")[2]


def test_add_says_what_went_in(receiver: Shell, packed: Path) -> None:
    ran = receiver.ok("store", "add", packed, receiver.home / "store", "--json")
    assert ran.result["volumes"] == 1
    assert ran.result["kept"] == 0
    assert ran.result["recipes"] == 1
    assert ran.result["stream"] == "docs"


def test_the_same_bundle_again_changes_nothing(
    receiver: Shell, packed: Path, store: Path
) -> None:
    before = contents(store)
    ran = receiver.ok("store", "add", packed, store, "--json")
    assert (ran.result["volumes"], ran.result["kept"]) == (0, 1)
    assert contents(store) == before


def test_stat_lists_the_releases(receiver: Shell, store: Path) -> None:
    ran = receiver.ok("store", "stat", store, "--json")
    (held,) = ran.of("held")
    assert (held["name"], held["seq"], held["artifacts"]) == ("docs", 1, 1)
    assert (ran.result["generation"], ran.result["packs"]) == (1, 1)
    assert ran.result["lost"] == 0
    assert "generation 1" in receiver.ok("store", "stat", store).out


def test_stat_of_what_is_no_store_says_how_to_make_one(receiver: Shell) -> None:
    ran = receiver("store", "stat", receiver.home)
    assert ran.code == 13
    assert "there is no store here" in ran.err
    assert "bundle store add" in ran.err


def test_add_into_what_is_something_else_is_refused(
    receiver: Shell, packed: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter").write_text("dear reader")
    ran = receiver("store", "add", packed, tmp_path / "mine")
    assert ran.code == 14
    assert "not empty, and not a store: letter" in ran.err
    assert contents(tmp_path / "mine") == {"letter": b"dear reader"}


def test_a_bundle_that_is_not_trusted_leaves_no_store(
    sender: Shell, packed: Path
) -> None:
    ran = sender("store", "add", packed, sender.home / "store")
    assert ran.code == 12
    assert not (sender.home / "store").exists()


@pytest.mark.parametrize("quick", [(), ("--quick",)], ids=["all", "structure alone"])
def test_a_whole_store_passes(
    receiver: Shell, store: Path, quick: tuple[str, ...]
) -> None:
    ran = receiver.ok("store", "check", store, "--json", *quick)
    assert ran.result["problems"] == []
    assert ran.result["quick"] == bool(quick)
    assert ran.result["chunks"] > 1
    assert contents(store) == contents(store)
    assert "checked" in receiver.ok("store", "check", store, *quick).out


def test_check_names_what_a_release_lost(receiver: Shell, store: Path) -> None:
    flip(store / "packs/0000000001.bdv", 5000)
    ran = receiver("store", "check", store, "--json")
    assert ran.error["class"] == "IntegrityError"
    assert ran.code == 11
    (lost,) = ran.of("lost")
    assert (lost["name"], lost["seq"]) == ("docs", 1)
    assert lost["artifact"] == "tree manuals"
    assert lost["count"] >= 1
    assert set(lost["files"]) <= {
        "figure.png",
        "install/part-1.md",
        "install/part-2.md",
    }
    assert receiver.ok("store", "check", store, "--quick").code == 0


def test_a_damaged_store_is_mended_by_the_bundle(
    receiver: Shell, packed: Path, store: Path
) -> None:
    flip(store / "packs/0000000001.bdv", 5000)
    ran = receiver("store", "check", store, "--rebuild")
    assert ran.code == 11
    assert "add a bundle of each of these releases again" in ran.err
    assert receiver.ok("store", "stat", store, "--json").result["lost"] == 1
    receiver.ok("store", "add", packed, store)
    result = receiver.ok("store", "stat", store, "--json").result
    assert (result["lost"], result["releases"]) == (0, 1)


def test_an_index_that_is_lost_is_made_again(receiver: Shell, store: Path) -> None:
    (segment,) = (store / "indexes").iterdir()
    flip(segment, 100)
    assert receiver("store", "check", store).code == 11
    receiver.ok("store", "check", store, "--rebuild")
    assert receiver.ok("store", "check", store, "--json").result["problems"] == []


def test_gc_keeps_the_newest_and_what_is_pinned(
    sender: Shell, receiver: Shell, store: Path
) -> None:
    for text in ("second\n", "third\n", "fourth\n"):
        receiver.ok("store", "add", again(sender, text), store)
    held = receiver.ok("store", "stat", store, "--json").of("held")
    pin = held[0]["release"]
    words = ("store", "gc", store, "--keep", "2", "--pin", pin, "--json")
    dry = receiver.ok(*words, "--dry-run")
    assert [one["seq"] for one in dry.of("dropped")] == [2]
    assert len(receiver.ok("store", "stat", store, "--json").of("held")) == 4
    ran = receiver.ok(*words)
    assert ran.result == {**dry.result, "dryRun": False}
    after = receiver.ok("store", "stat", store, "--json")
    assert [one["seq"] for one in after.of("held")] == [1, 3, 4]
    assert after.result["generation"] == 2
    receiver.ok("store", "check", store)


def test_gc_without_options_keeps_three(receiver: Shell, store: Path) -> None:
    ran = receiver.ok("store", "gc", store)
    assert "dropped 0 releases" in ran.out


def test_gc_refuses_a_pin_that_names_nothing(receiver: Shell, store: Path) -> None:
    ran = receiver("store", "gc", store, "--pin", f"blake3:{'0' * 64}")
    assert ran.code == 2
    assert "bundle store stat" in ran.err


def test_unpack_takes_what_a_delta_leaves_out_from_the_store(
    sender: Shell, receiver: Shell, packed: Path, store: Path
) -> None:
    (sender.home / "manuals/empty").write_text("not any more\n" * 30)
    sender.ok("pack", f"tree:{sender.home / 'manuals'}", "--base", packed)
    delta = sender.home / "out/docs-000002"
    target = f"tree:{receiver.home / 'srv'}"
    receiver.ok("unpack", delta, "--to", target, "--store", store)
    assert contents(receiver.home / "srv") == contents(sender.home / "manuals")


def test_a_store_takes_a_delta_of_what_it_holds(
    sender: Shell, receiver: Shell, packed: Path, store: Path
) -> None:
    (sender.home / "manuals/empty").write_text("not any more\n" * 30)
    sender.ok("pack", f"tree:{sender.home / 'manuals'}", "--base", packed)
    delta = sender.home / "out/docs-000002"
    refused = receiver("store", "add", delta, receiver.home / "other")
    assert refused.code == 13
    receiver.ok("store", "add", delta, store)
    held = receiver.ok("store", "stat", store, "--json").of("held")
    assert [one["seq"] for one in held] == [1, 2]


def test_ls_lists_what_each_release_is_made_of(
    sender: Shell, receiver: Shell, store: Path
) -> None:
    receiver.ok("store", "add", again(sender, "other"), store)
    ran = receiver.ok("store", "ls", store, "--json")
    assert [one["event"] for one in ran.events] == [
        *("held", "artifact", "held", "artifact", "result")
    ]
    assert [one["seq"] for one in ran.of("held")] == [1, 2]
    assert [one["name"] for one in ran.of("artifact")] == ["manuals", "manuals"]
    assert (ran.result["releases"], ran.result["artifacts"]) == (2, 2)
    lines = receiver.ok("store", "ls", store, "--stream", "docs").lines
    assert lines[3].startswith("tree manuals 4 ")
    assert lines[-1] == "2 releases"


def test_ls_of_a_stream_that_is_not_there(receiver: Shell, store: Path) -> None:
    ran = receiver("store", "ls", store, "--stream", "other")
    assert ran.code == 13
    assert "no release of other is in this store" in ran.err


def test_ls_of_a_release_without_its_envelope(receiver: Shell, store: Path) -> None:
    [path] = (store / "releases").iterdir()
    path.unlink()
    ran = receiver.ok("store", "ls", store, "--json")
    assert len(ran.of("held")) == 1
    assert ran.of("artifact") == []
