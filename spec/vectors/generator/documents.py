"""JSON as chapter 2.5 allows it, and descriptors (3.2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.container import Body, Repeat, Vector, accept, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT: Final = 1000
"""Bytes that a reader of kind ``json`` is told to take at most."""

NO_BYTES: Final = (
    "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
)

GOOD: Final[dict[str, tuple[bytes, str, str]]] = {
    "white_space_around": (b' \t\r\n{"a": [1, null, true]} \n', "2.5.1", "Allowed."),
    "escapes": (rb'"\u00e9\n\/\ud83d\ude00"', "2.5.1", "A whole surrogate pair."),
    "text_beyond_ascii": ('"größe 日本語 😀"'.encode(), "2.5.1", "UTF-8."),
    "one_name_in_two_objects": (b'[{"a":1},{"a":2}]', "2.5.2", "Not twice in one."),
    "the_largest_integers": (
        b"[9007199254740991,-9007199254740991]",
        "2.5.3",
        "What every reader holds exactly.",
    ),
    "sixteen_levels": (b"[" * 16 + b"]" * 16, "2.5.4", "The deepest."),
    "brackets_in_text": (b'["' + b"[{" * 40 + b'\\"[["]', "2.5.4", "Not nesting."),
    "just_the_most_bytes": (b"1".rjust(LIMIT), "2.5.5", "White space counts."),
}

BAD: Final[dict[str, tuple[Body, str, str]]] = {
    "nothing": (b"", "2.5.1", "No document."),
    "a_byte_order_mark": (b"\xef\xbb\xbf{}", "2.5.1", "Not even as UTF-8."),
    "utf_16": ("{}".encode("utf-16-le"), "2.5.1", "UTF-8 only."),
    "not_utf8": (b'"\xff"', "2.5.1", "No text."),
    "a_surrogate_as_utf8": (b'"\xed\xa0\x80"', "2.5.1", "No text."),
    "half_a_surrogate_pair": (rb'"\ud800"', "2.5.1", "Some readers replace it."),
    "halves_in_the_wrong_order": (rb'"\ude00\ud83d"', "2.5.1", "Two halves."),
    "half_a_pair_in_a_name": (rb'{"\udc00":1}', "2.5.1", "A name is text too."),
    "two_documents": (b"{}{}", "2.5.1", "Which of them?"),
    "a_zero_byte_after_it": (b"{}\0", "2.5.1", "Not white space."),
    "a_vertical_tab": (b"\x0b{}", "2.5.1", "Not white space of JSON."),
    "a_comment": (b"{}//", "2.5.1", "JSON has none."),
    "a_comma_too_many": (b"[1,]", "2.5.1", "Some readers allow it."),
    "a_name_without_quotes": (b"{a:1}", "2.5.1", "Some readers allow it."),
    "single_quotes": (b"['a']", "2.5.1", "Some readers allow it."),
    "a_line_feed_in_text": (b'"a\nb"', "2.5.1", "It has to be escaped."),
    "a_leading_zero": (b"[01]", "2.5.1", "No number of JSON."),
    "a_plus_sign": (b"[+1]", "2.5.1", "No number of JSON."),
    "an_unfinished_text": (b'{"a":"b', "2.5.1", "It stops."),
    "a_name_twice": (b'{"a":1,"a":2}', "2.5.2", "Readers disagree on which counts."),
    "a_name_twice_with_an_escape": (
        rb'{"a":1,"\u0061":2}',
        "2.5.2",
        "The same name, written in another way.",
    ),
    "a_name_twice_with_one_value": (b'{"a":1,"a":1}', "2.5.2", "Not even then."),
    "a_name_twice_deep_inside": (b'[{"b":{"a":1,"c":0,"a":1}}]', "2.5.2", "Anywhere."),
    "a_fraction": (b"[1.0]", "2.5.3", "An integer has none."),
    "an_exponent": (b"[1e2]", "2.5.3", "An integer has none."),
    "not_a_number": (b"[NaN]", "2.5.3", "Some readers allow it."),
    "infinity": (b"[-Infinity]", "2.5.3", "Some readers allow it."),
    "two_to_the_53": (b"[9007199254740992]", "2.5.3", "Not exact everywhere."),
    "minus_two_to_the_53": (b"[-9007199254740992]", "2.5.3", "Not exact everywhere."),
    "a_number_of_500_digits": (b"[" + b"9" * 500 + b"]", "2.5.3", "Quadratic to read."),
    "seventeen_levels": (b"[" * 17 + b"]" * 17, "2.5.4", "One too deep."),
    "seventeen_levels_of_objects": (
        b'{"a":' * 16 + b"{}" + b"}" * 16,
        "2.5.4",
        "One too deep.",
    ),
    "five_hundred_levels_that_never_end": (b"[" * 500, "2.5.4", "Stacks overflow."),
    "a_byte_too_many": (b"1".rjust(LIMIT + 1), "2.5.5", "Before it is parsed."),
    "a_million_bytes_too_many": (
        (b"[", Repeat(b"0,", 500_000), b"0]"),
        "2.5.5",
        "Before it is parsed.",
    ),
}

MEDIA_TYPES: Final = {
    "a_media_type_in_upper_case": "Application/vnd.bundle.recipe.v1",
    "a_media_type_with_a_parameter": "text/markdown; charset=utf-8",
    "a_media_type_without_a_subtype": "text",
    "a_media_type_of_three_parts": "text/markdown/plain",
    "a_media_type_with_an_empty_subtype": "text/",
    "no_media_type": "",
}


def dumps(document: object) -> bytes:
    """Return compact JSON with the members in their order."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    given = {"limit": LIMIT}
    for name, (data, rule, comment) in GOOD.items():
        value = {"document": json.loads(data)}
        yield accept("json", name, rule, data, comment, given=given, value=value)
    for name, (body, rule, comment) in BAD.items():
        yield refuse("json", name, rule, body, comment, given=given, names="2.5")
    yield from _descriptors()


def descriptor(**changes: Any) -> bytes:
    """Return the descriptor of an empty recipe, as 3.2 shows it."""
    members = {
        "mediaType": "application/vnd.bundle.recipe.v1",
        "digest": NO_BYTES,
        "size": 0,
    }
    return dumps(members | changes)


def _descriptors() -> Iterator[Vector]:
    value: dict[str, Any] = json.loads(descriptor())
    comment = "The example of 3.2."
    rules = "3.2.1 3.2.2"
    yield accept("descriptor", "of_nothing", rules, descriptor(), comment, value=value)
    data = descriptor(size=(1 << 53) - 1, annotations={"a": 1})
    value = value | {"size": (1 << 53) - 1}
    comment = "The largest size, and a member that a reader ignores."
    yield accept("descriptor", "as_large_as_can_be", rules, data, comment, value=value)
    for name, media_type in MEDIA_TYPES.items():
        data = descriptor(mediaType=media_type)
        comment = f"Not a type and a subtype: {media_type!r}."
        yield refuse("descriptor", name, "3.2.1", data, comment)
    data = descriptor(size=-1)
    yield refuse("descriptor", "a_size_below_0", "3.2.2", data, "Not a size.")
    data = descriptor(size=1 << 53)
    comment = "2 to the 53: no integer of a document is so large."
    yield refuse(
        "descriptor", "a_size_of_2_to_the_53", "3.2.2", data, comment, names="2.5"
    )
    data = descriptor(digest=NO_BYTES.upper())
    comment = "One way to write it."
    name = "a_digest_in_upper_case"
    yield refuse("descriptor", name, "3.1.1", data, comment, names="3.1")
    data = descriptor(size="0")
    comment = "A text is no integer."
    yield refuse("descriptor", "a_size_as_text", "3.2.2", data, comment, names="2.5")
