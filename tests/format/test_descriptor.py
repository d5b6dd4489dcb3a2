from __future__ import annotations

import pytest

from bundle.errors import FormatError, IntegrityError
from bundle.format.descriptor import APPROVAL, RECIPE, Descriptor
from bundle.limits import MAX_INTEGER
from bundle.wire import read_json, write_json
from tests.format.samples import HELLO, HELLO_ID

GOOD = Descriptor.of(RECIPE, HELLO)
DIGEST = f"blake3:{HELLO_ID.hex()}"


def test_a_descriptor_is_this_document() -> None:
    document = b'{"mediaType":"%s","digest":"%s","size":15}' % (
        RECIPE.encode(),
        DIGEST.encode(),
    )
    assert write_json(GOOD) == document
    assert read_json(document, Descriptor, limit=1000, rule="2.5") == GOOD
    assert GOOD.raw == HELLO_ID


BAD = {
    "no media type": ("", DIGEST, 1, "3.2.1"),
    "a media type without a subtype": ("text", DIGEST, 1, "3.2.1"),
    "a media type in upper case": ("Text/plain", DIGEST, 1, "3.2.1"),
    "a media type with a parameter": ("text/plain; a=b", DIGEST, 1, "3.2.1"),
    "a media type and a newline": ("text/plain\n", DIGEST, 1, "3.2.1"),
    "a digest in upper case": (RECIPE, DIGEST.upper(), 1, "3.1"),
    "a digest of another algorithm": (RECIPE, "sha256:" + "0" * 64, 1, "3.1"),
    "a digest and a newline": (RECIPE, DIGEST + "\n", 1, "3.1"),
    "a size below nothing": (RECIPE, DIGEST, -1, "3.2.2"),
    "a size over 2^53": (RECIPE, DIGEST, MAX_INTEGER + 1, "3.2.2"),
}


@pytest.mark.parametrize(
    ("media_type", "digest", "size", "rule"), BAD.values(), ids=BAD.keys()
)
def test_a_descriptor_is_refused_for(
    media_type: str, digest: str, size: int, rule: str
) -> None:
    with pytest.raises(FormatError) as caught:
        Descriptor(media_type, digest, size)
    assert caught.value.rule == rule


@pytest.mark.parametrize("member", ["mediaType", "digest", "size"])
def test_every_member_is_required(member: str) -> None:
    document = {"mediaType": RECIPE, "digest": DIGEST, "size": 15}
    del document[member]
    with pytest.raises(FormatError, match=member):
        read_json(write_json(document), Descriptor, limit=1000, rule="2.5")


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "0 bytes"), (HELLO[:-1], "14 bytes"), (HELLO.upper(), "the content is")],
    ids=["nothing", "a byte less", "the same size"],
)
def test_other_bytes_are_refused_size_first(data: bytes, reason: str) -> None:
    GOOD.check(memoryview(HELLO), "tiny")
    with pytest.raises(IntegrityError, match=f"tiny: {reason}") as caught:
        GOOD.check(data, "tiny")
    assert caught.value.rule == "3.2.4"


def test_a_descriptor_of_something_else_is_refused() -> None:
    GOOD.check_type(RECIPE, rule="8.4.3")
    with pytest.raises(FormatError) as caught:
        GOOD.check_type(APPROVAL, rule="8.4.3")
    assert caught.value.rule == "8.4.3"
