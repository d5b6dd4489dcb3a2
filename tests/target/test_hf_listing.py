import json

import pytest

from bundle.target import hf_listing
from bundle.target.hf_listing import listed_sizes, listing_for
from tests.target.sample import XET, listing

FILES = {"a": b"1", "b/c": b"22"}
PLAIN = json.dumps({"format_version": 1, "files": {"a": {"size": 1}}}).encode()


def test_a_listing_with_nothing_to_take_out_comes_back_as_it_is() -> None:
    assert listing_for(PLAIN, {"a", "more"}) == PLAIN


def test_only_the_hash_of_another_store_is_taken_out() -> None:
    data = listing_for(listing(FILES), set(FILES))
    assert data is not None
    expected = json.loads(listing(FILES))
    for entry in expected["files"].values():
        assert entry.pop("xet_hash") == XET
    assert json.loads(data) == expected
    assert data == json.dumps(expected, indent=1).encode()


@pytest.mark.parametrize(
    ("data", "files"),
    [
        pytest.param(listing(FILES), {"a"}, id="of a pack that was filtered"),
        pytest.param(b"", set(), id="empty"),
        pytest.param(PLAIN[:-1], {"a"}, id="cut off"),
        pytest.param(b"[]", set(), id="no object"),
        pytest.param(b'{"format_version":2,"files":{}}', set(), id="of a later format"),
        pytest.param(b'{"format_version":1}', set(), id="without files"),
        pytest.param(b'{"format_version":1,"files":[]}', set(), id="with a list"),
        pytest.param(
            b'{"format_version":1,"files":{"a":1}}', {"a"}, id="with a bare number"
        ),
        pytest.param(b"[" * 100_000, set(), id="nested without end"),
    ],
)
def test_a_listing_that_would_mislead_is_left_out(data: bytes, files: set[str]) -> None:
    assert listing_for(data, files) is None


def test_a_listing_over_the_bound_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hf_listing, "MAX_LISTING", len(PLAIN) - 1)
    assert listing_for(PLAIN, {"a"}) is None


@pytest.mark.parametrize(
    ("data", "sizes"),
    [
        (listing(FILES), {"a": 1, "b/c": 2}),
        (b'{"format_version":1,"files":{"a":{}}}', None),
        (b'{"format_version":1,"files":{"a":{"size":"1"}}}', None),
        (b"{", None),
        (b"{}", None),
    ],
)
def test_sizes_are_those_that_a_client_reads(
    data: bytes, sizes: dict[str, int] | None
) -> None:
    assert listed_sizes(data) == sizes
