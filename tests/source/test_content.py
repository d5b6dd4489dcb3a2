"""Pickles and code are named to the reviewer."""

from __future__ import annotations

import pytest

from bundle.format.pickles import PICKLE_SUFFIXES
from bundle.source.base import HF_MODEL, TREE, SourceFile
from bundle.source.content import content_warnings

ROOT = f"snapshots/{'1' * 40}/"


def warnings(kind: str, *paths: str, size: int = 1) -> tuple[str, ...]:
    return content_warnings(kind, [SourceFile(path, b"", size) for path in paths])


@pytest.mark.parametrize("suffix", PICKLE_SUFFIXES)
def test_each_ending_of_pickles_is_known(suffix: str) -> None:
    [warning] = warnings(HF_MODEL, f"{ROOT}model{suffix.upper()}")
    assert warning.endswith(f": model{suffix.upper()}")


def test_code_in_a_repository_is_named_without_its_snapshot() -> None:
    [warning] = warnings(HF_MODEL, f"{ROOT}sub/modeling.py")
    assert warning == "Python code that a client may run: sub/modeling.py"


def test_code_in_a_tree_is_what_a_tree_is_for() -> None:
    assert warnings(TREE, "setup.py") == ()


def test_many_files_make_one_short_warning() -> None:
    [warning] = warnings(TREE, *(f"{number}.pt" for number in range(9)))
    assert warning.endswith(": 0.pt, 1.pt, 2.pt and 6 more")


def test_two_revisions_of_a_file_are_one_name() -> None:
    [warning] = warnings(HF_MODEL, f"{ROOT}a.bin", f"snapshots/{'2' * 40}/a.bin")
    assert warning.endswith(": a.bin")


def test_marks_of_absent_files_are_no_files() -> None:
    assert warnings(HF_MODEL, f".no_exist/{'1' * 40}/model.bin", size=0) == ()


def test_safe_formats_need_no_warning() -> None:
    assert warnings(HF_MODEL, f"{ROOT}model.safetensors", f"{ROOT}config.json") == ()
