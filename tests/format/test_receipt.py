from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from bundle.errors import FormatError, LimitError
from bundle.format.layout import short
from bundle.format.receipt import (
    MAX_RECEIPT_PAYLOAD,
    HeldRelease,
    HeldStream,
    Receipt,
    StoreState,
)
from bundle.format.release import TrustVersion
from bundle.wire import write_json
from tests.format.samples import HELLO

EMPTY = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
SPEC = Path(__file__).parents[2] / "spec/delta.md"


def held(count: int, number: int = 0) -> HeldStream:
    releases = tuple(HeldRelease(seq, EMPTY) for seq in range(count, 0, -1))
    return HeldStream(f"{number:032x}", "models", releases)


def sample(*streams: HeldStream) -> Receipt:
    return Receipt(
        site="lab-1",
        store=StoreState("0f0e0d0c0b0a09080706050403020100", 1),
        streams=streams or (held(1),),
        outcome="applied",
        created="2026-01-31T12:00:00Z",
        trust_version=TrustVersion(1, 1),
    )


def test_a_receipt_is_the_example_of_the_specification() -> None:
    text = SPEC.read_text()
    example = re.search(r"(?ms)^```json receipt\n(.*?)\n```$", text)
    assert example is not None
    stream = HeldStream(
        "000102030405060708090a0b0c0d0e0f", "models", (HeldRelease(1, EMPTY),)
    )
    assert sample(stream).serialize() == example[1].encode()
    assert Receipt.parse(example[1].encode()) == sample(stream)


def test_a_receipt_has_the_name_of_its_site_store_and_generation() -> None:
    assert sample().name == "receipt-lab-1-0f0e0d0c-1.json"


def test_no_name_of_a_receipt_is_over_64_characters() -> None:
    store = StoreState("0f" * 16, 10**15)
    longest = msgspec.structs.replace(sample(), site="s" * 64, store=store).name
    assert longest == f"receipt-{short('s' * 64, 24)}-0f0f0f0f-{10**15}.json"
    assert len(longest) <= 64


@dataclass(frozen=True)
class Refused:
    member: str
    value: Any
    rule: str


ID = "0f0e0d0c0b0a09080706050403020100"
ONE = {"seq": 1, "digest": EMPTY}
MODELS = {"id": ID, "name": "models", "releases": [ONE]}
BAD = {
    "a member that is not there": Refused("outcome", None, "60.1.3"),
    "an outcome nobody knows": Refused("outcome", "fine", "60.1.3"),
    "a site that is no slug": Refused("site", "../lab", "60.1.4"),
    "a store without an id": Refused("store", {"id": "", "generation": 1}, "60.1.5"),
    "a generation of 0": Refused("store", {"id": ID, "generation": 0}, "60.1.5"),
    "a stream twice": Refused("streams", [MODELS, MODELS], "60.1.7"),
    "a release twice": Refused(
        "streams", [{**MODELS, "releases": [ONE, ONE]}], "60.1.6"
    ),
    "a release without a number": Refused(
        "streams", [{**MODELS, "releases": [{**ONE, "seq": 0}]}], "60.1.6"
    ),
    "a digest in other words": Refused(
        "streams", [{**MODELS, "releases": [{**ONE, "digest": "md5:0"}]}], "3.1"
    ),
    "a stream id that is none": Refused("streams", [{**MODELS, "id": "x"}], "8.3.1"),
    "a date without a time": Refused("created", "2026-01-31", "60.1.8"),
    "another format": Refused("format", 2, "8.2.1"),
    "a feature it needs": Refused(
        "features", {"required": ["holograms"], "optional": []}, "8.2.4"
    ),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_a_receipt_is_refused_for(case: Refused) -> None:
    document = {**msgspec.to_builtins(sample()), case.member: case.value}
    with pytest.raises(FormatError) as caught:
        Receipt.parse(write_json(document))
    assert caught.value.rule == case.rule


def test_a_receipt_that_is_too_long_is_not_read() -> None:
    with pytest.raises(LimitError):
        Receipt.parse(b" " * 2049)


def test_what_does_not_fit_is_not_written() -> None:
    with pytest.raises(FormatError, match="over 1280"):
        sample(held(16)).serialize()
    with pytest.raises(FormatError, match="17 releases"):
        held(17)


@given(
    st.lists(st.integers(0, 16), max_size=40),
    st.integers(0, 39),
)
def test_a_receipt_is_made_to_fit(counts: list[int], chosen: int) -> None:
    streams = tuple(held(count, number) for number, count in enumerate(counts))
    full = msgspec.structs.replace(sample(), streams=streams)
    fitted = full.fitted(f"{chosen:032x}")
    payload = fitted.serialize()
    assert len(payload) <= MAX_RECEIPT_PAYLOAD
    assert payload.isascii()
    assert Receipt.parse(payload) == fitted
    assert (chosen < len(counts)) == any(
        stream.id == f"{chosen:032x}" for stream in fitted.streams
    )
    for stream in fitted.streams:
        before = next(each for each in streams if each.id == stream.id)
        assert before.releases[: len(stream.releases)] == stream.releases


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(FormatError):
        Receipt.parse(HELLO)
