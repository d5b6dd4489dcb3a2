from pathlib import Path

import pytest

from bundle.durable import write_file
from bundle.format import layout
from bundle.limits import MAX_VOLUMES

OURS = {
    "the release": "release.json",
    "the manifest": "bundle.json",
    "the recipes": "recipes.bdr",
    "the shards": "shards.bds",
    "what a reviewer reads": "approval.md",
    "the approvals": "sig",
    "the trust files": "trust",
    "the copies": "copy",
    "the first volume": "vol-00001.bdv",
    "the last volume": layout.volume_name(MAX_VOLUMES),
    "a file of parity": "par-00001.bdp",
    "a file that was being written": ".release.json.0a1b2c3d.tmp",
}
FOREIGN = {
    "nothing": "",
    "a document": "readme.txt",
    "another case": "Release.json",
    "a volume of four digits": "vol-0001.bdv",
    "a volume of six digits": "vol-000001.bdv",
    "a volume in other digits": "vol-0000\N{ARABIC-INDIC DIGIT ONE}.bdv",
    "a volume and more": "vol-00001.bdv.bak",
    "a volume and a line break": "vol-00001.bdv\n",
    "a prefix and a volume": "my-vol-00001.bdv",
    "a volume of another kind": "vol-00001.bdp",
    "another's temporary file": ".release.json.swp",
    "a temporary file of a path": ".a/b.0a1b2c3d.tmp",
    "here": ".",
    "above": "..",
}


@pytest.mark.parametrize("name", OURS.values(), ids=OURS)
def test_a_bundle_may_hold(name: str) -> None:
    assert layout.is_ours(name)


@pytest.mark.parametrize("name", FOREIGN.values(), ids=FOREIGN)
def test_a_bundle_does_not_hold(name: str) -> None:
    assert not layout.is_ours(name)


def test_what_is_left_of_a_file_that_was_being_written_is_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    rename = Path.rename

    def renaming(path: Path, to: Path) -> Path:
        seen.append(path.name)
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", renaming)
    for name in (*layout.FIXED, layout.volume_name(1)):
        write_file(tmp_path / name, b"")
    assert len(seen) == len(layout.FIXED) + 1
    assert all(map(layout.is_ours, seen))


@pytest.mark.parametrize(
    ("number", "name"), [(1, "vol-00001.bdv"), (99_999, "vol-99999.bdv")]
)
def test_volumes_have_five_digits(number: int, name: str) -> None:
    assert layout.volume_name(number) == name


@pytest.mark.parametrize(
    ("seq", "name"),
    [(1, "prod-000001"), (999_999, "prod-999999"), (10**6, "prod-1000000")],
)
def test_directories_sort_by_number(seq: int, name: str) -> None:
    assert layout.directory_name("prod", seq) == name


@pytest.mark.parametrize("size", [1, 32])
def test_names_that_fit_stay(size: int) -> None:
    assert layout.short("x" * size, 32) == "x" * size


def test_longer_names_are_cut_and_stay_apart() -> None:
    names = [
        "a" * 60,
        "a" * 61,
        f"{'b' * 20}...cdefghijklmn",
        f"{'b' * 20}-.-cdefghijk",
    ]
    found = [layout.short(name, 32) for name in names]
    assert max(map(len, found)) == 32
    assert len({*found}) == 4
    assert found[2].startswith(f"{'b' * 20}-")
    longest = layout.directory_name("a" * 64, 10**9)
    assert len(f"{longest}-relay-999-3-of-12") <= 64
