"""Lists of what a revision holds: read strictly, carried without what misleads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bundle.errors import SourceError
from bundle.source import hf_trees
from bundle.source.hf_trees import Identity, parse_tree_list, read_tree_list
from tests.caches import identity, small_model, tree_list

if TYPE_CHECKING:
    from pathlib import Path


def test_a_list_without_hashes_of_another_store_stays_as_it_is() -> None:
    data = tree_list(small_model())
    assert parse_tree_list(data, "list").data == data
    spaced = json.dumps(json.loads(data), indent=4).encode()
    assert parse_tree_list(spaced, "list").data == spaced


def test_without_them_it_is_what_the_client_would_write() -> None:
    files = small_model()
    data = tree_list(files, xet=True)
    assert b"xet_hash" in data
    assert parse_tree_list(data, "list").data == tree_list(files)


def test_a_null_in_their_place_is_taken_out_too() -> None:
    data = b'{"format_version": 1, "files": {"a": {"size": 0, "xet_hash": null}}}'
    assert b"xet" not in parse_tree_list(data, "list").data


def test_large_files_are_known_by_sha256_and_others_as_git_knows_them() -> None:
    files = small_model()
    found = parse_tree_list(tree_list(files), "list").identities
    assert found.keys() == files.keys()
    large, small = found["model.safetensors"], found["config.json"]
    assert large.sha256 == bytes.fromhex(identity(files["model.safetensors"]).sha256)
    assert large.git_sha1 is None
    assert small.git_sha1 == bytes.fromhex(identity(files["config.json"]).git_sha1)
    assert small.sha256 is None


NO_LISTS = {
    "no JSON": b"{",
    "nothing": b"",
    "a later format": b'{"format_version": 2, "files": {}}',
    "no files": b'{"format_version": 1}',
    "files as a list": b'{"format_version": 1, "files": []}',
    "entries that are no objects": b'{"format_version": 1, "files": {"a": 1}}',
    "one path twice": b'{"format_version": 1, "files": {"a": {}, "a": {}}}',
    "nested too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("data", NO_LISTS.values(), ids=NO_LISTS.keys())
def test_what_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(SourceError, match="trees/x: not a list of files"):
        parse_tree_list(data, "trees/x")


@pytest.mark.parametrize("entry", [{}, {"blob_id": 3}, {"lfs_sha256": "../../x"}])
def test_an_entry_may_name_no_content(entry: object) -> None:
    data = json.dumps({"format_version": 1, "files": {"a": entry}}).encode()
    assert parse_tree_list(data, "list").identities == {"a": Identity()}


def test_a_list_larger_than_any_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "list"
    path.write_bytes(b"12345678")
    assert read_tree_list(str(path), "list") == b"12345678"
    monkeypatch.setattr(hf_trees, "MAX_TREE_LIST", 7)
    with pytest.raises(SourceError, match="list: over 7 bytes"):
        read_tree_list(str(path), "list")


@pytest.mark.parametrize("name", ["", "A" * 40, "0" * 39, "0" * 65, "x" * 64])
def test_other_names_are_no_identity(name: str) -> None:
    assert not Identity.of_name(name)
