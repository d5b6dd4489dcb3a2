"""Places in buckets, as people write them."""

from __future__ import annotations

import pytest

from bundle.errors import UsageError
from bundle.s3.address import parse_address

ALLOWED = frozenset({"layout", "generation"})


def test_a_place_is_a_bucket_and_a_prefix() -> None:
    address = parse_address("s3://b-1.x/a/b%20/?layout=flat&generation=7", ALLOWED)
    assert (address.bucket, address.prefix) == ("b-1.x", "a/b%20")
    assert address.options == {"layout": "flat", "generation": "7"}
    assert address.key("c") == "a/b%20/c"
    assert str(address) == "s3://b-1.x/a/b%20"
    assert str(parse_address("s3://bucket/")) == "s3://bucket"


BAD = {
    "bucket/prefix": "names no bucket",
    "s3:bucket": "names no bucket",
    "s3://": "names no bucket",
    "s3://ab": "names no bucket",
    "s3:///prefix": "names no bucket",
    "s3://a bucket": "names no bucket",
    "s3://bucket/a//b": "no empty parts",
    "s3://bucket/a/../b": "no empty parts",
    "s3://bucket/a\nb": "control characters",
    "s3://bucket?layuot=flat": "there is no layuot=",
    "s3://bucket?layout=": "each name has one value",
    "s3://bucket?layout=flat&layout=flat": "each name has one value",
    "s3://bucket?": "each name has one value",
}


@pytest.mark.parametrize(("text", "message"), BAD.items(), ids=BAD.keys())
def test_anything_else_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse_address(text, ALLOWED)
    assert caught.value.advice
