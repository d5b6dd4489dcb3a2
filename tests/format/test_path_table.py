from __future__ import annotations

import time
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from bundle.errors import FormatError
from bundle.format.path_table import PathTable
from bundle.paths import check_distinct, check_path


def table_of(paths: list[str]) -> PathTable:
    texts = [path.encode("utf-8", "surrogatepass") for path in paths]
    ends = np.array(list(accumulate(map(len, texts))), np.uint32)
    return PathTable(ends, np.frombuffer(b"".join(texts), np.uint8), 1000)


def check(paths: list[str], directories: tuple[str, ...] = ()) -> tuple[int, int]:
    table = table_of(paths)
    table.check_ends(100)
    modes = np.array([2 if path in directories else 0 for path in paths], np.uint8)
    return table.check(modes, lambda _, __: None)


GOOD = {
    "no paths": ([], (0, 0)),
    "one name": (["a"], (1, 1)),
    "a deep one": (["a/bb/ccc"], (3, 3)),
    "a directory that is left and not seen again": (
        ["a-b", "a/b", "a/c", "a0"],
        (2, 3),
    ),
    "text outside ASCII": (["größe/日本語", "größe/한국어"], (2, 9)),
    "hidden files": ([".gitattributes", "x/.y"], (2, 14)),
    "one name in two directories": (["a/readme", "b/README"], (2, 6)),
}


@pytest.mark.parametrize(("paths", "extent"), GOOD.values(), ids=GOOD.keys())
def test_paths_are_accepted(paths: list[str], extent: tuple[int, int]) -> None:
    assert check(paths) == extent
    assert list(table_of(paths)) == paths
    assert [table_of(paths)[at] for at in range(len(paths))] == paths


BAD = {
    "out of order": (["b", "a"], "6.3.5"),
    "a path twice": (["a", "a"], "6.3.5"),
    "sorted as text in another language would be": (["B", "a", "C"], "6.3.5"),
    "a name above": (["../a"], "2.3"),
    "an absolute path": (["/etc/passwd"], "2.3"),
    "a backslash": (["a\\b"], "2.3"),
    "a device": (["aux.txt"], "2.3"),
    "a trailing dot": (["a./b"], "2.3"),
    "a zero byte": (["a\0b"], "2.3"),
    "a direction override": (["a\u202eb"], "2.3"),
    "an empty component": (["a//b"], "2.3"),
    "half a surrogate": (["\ud800"], "6.3.3"),
    "names that differ in case": (["README", "readme"], "2.4"),
    "names that differ in composition": (["e\u0301", "\u00e9"], "2.4"),
    "directories that differ in case": (["A/x", "a/y"], "2.4"),
    "directories far apart that differ in case": (["A/x", "b/c", "a/y"], "6.3.5"),
    "a file that is a directory": (["a", "a/b"], "2.4"),
    "a file that is a directory elsewhere": (["A", "a/b"], "2.4"),
    "a file beside the directory's other spelling": (["a/b", "a/c/d", "a/C"], "6.3.5"),
    "a ligature": (["ﬁle", "ﬁlm"], None),
    "a ligature and its letters": (["file", "ﬁle"], "2.4"),
}


@pytest.mark.parametrize(("paths", "rule"), BAD.values(), ids=BAD.keys())
def test_paths_are_judged(paths: list[str], rule: str | None) -> None:
    if rule is None:
        check(paths)
        return
    with pytest.raises(FormatError) as caught:
        check(paths)
    assert caught.value.rule == rule


def test_a_directory_is_listed_only_when_nothing_is_in_it() -> None:
    check(["a/b", "c"], ("c",))
    with pytest.raises(FormatError, match="something is in it") as caught:
        check(["a", "a-b", "a/b"], ("a",))
    assert caught.value.rule == "6.3.6"
    with pytest.raises(FormatError) as caught:
        check(["C", "c"], ("c",))
    assert caught.value.rule == "2.4"


BAD_ENDS = {
    "an empty path": ([3, 3], b"abcdef", "6.3.1", 104),
    "ends that descend": ([3, 2], b"abcdef", "6.3.1", 104),
    "an empty first path": ([0, 3], b"abc", "6.3.1", 100),
    "a table that is longer": ([3], b"abcd", "6.3.2", 100),
    "a table that is shorter": ([3], b"ab", "6.3.2", 100),
    "a table of nothing": ([], b"ab", "6.3.2", 100),
}


@pytest.mark.parametrize(
    ("ends", "text", "rule", "at"), BAD_ENDS.values(), ids=BAD_ENDS.keys()
)
def test_ends_are_refused_for(ends: list[int], text: bytes, rule: str, at: int) -> None:
    table = PathTable(np.array(ends, np.uint32), np.frombuffer(text, np.uint8), 1000)
    with pytest.raises(FormatError) as caught:
        table.check_ends(100)
    assert (caught.value.rule, caught.value.offset) == (rule, at)


def test_bytes_that_are_not_utf8_are_refused_where_they_are() -> None:
    text = np.frombuffer(b"ok\xff\xfe", np.uint8)
    table = PathTable(np.array([2, 4], np.uint32), text, 1000)
    with pytest.raises(FormatError) as caught:
        table.check(np.zeros(2, np.uint8), lambda _, __: None)
    assert caught.value.rule == "6.3.3"


def test_a_character_is_not_split_between_paths() -> None:
    text = np.frombuffer("aé".encode(), np.uint8)
    table = PathTable(np.array([2, 3], np.uint32), text, 1000)
    with pytest.raises(FormatError) as caught:
        list(table)
    assert caught.value.rule == "6.3.3"


components = st.text(st.sampled_from("abAß.é"), min_size=1, max_size=2)
paths_ = st.lists(components, min_size=1, max_size=3).map("/".join)


@settings(max_examples=300)
@given(st.sets(paths_, max_size=8), st.data(), st.sampled_from([1, 3, 1000]))
def test_the_table_and_the_grammar_agree(
    paths: set[str], data: st.DataObject, step: int
) -> None:
    ordered = sorted(paths)
    directories = tuple(path for path in ordered if data.draw(st.booleans()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bundle.format.path_table._STEP", step)
        found = refusal(lambda: check(ordered, directories))
    assert found == refusal(lambda: slowly(ordered, directories))


def slowly(paths: list[str], directories: tuple[str, ...]) -> None:
    for path in paths:
        check_path(path, rule="2.3")
    files = [path for path in paths if path not in directories]
    check_distinct(files, directories, rule="2.4")
    for path in directories:
        if any(other.startswith(path + "/") for other in paths):
            raise FormatError("implied", rule="6.3.6")


def refusal(work: object) -> str | None:
    assert callable(work)
    try:
        work()
    except FormatError as error:
        return error.rule
    return None


def test_hashes_that_agree_by_chance_refuse_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bundle.format.path_table.hash", lambda _: 0, raising=False)
    assert check(["a", "b/c", "b/d", "é"], ("a",)) == (2, 2)
    with pytest.raises(FormatError) as caught:
        check(["A", "a", "b/c"])
    assert caught.value.rule == "2.4"


def test_a_hundred_thousand_paths_are_judged_in_a_moment() -> None:
    paths = [
        f"snapshots/{number // 100:04}/f-{number:06}.bin" for number in range(100_000)
    ]
    started = time.process_time()
    assert check(paths) == (3, 12)
    assert time.process_time() - started < 5
