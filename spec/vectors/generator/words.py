"""Names, paths, digests and dates (chapters 2.2 to 2.4, 3.1, 8.3.7)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from spec.vectors.generator.container import Vector, accept, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

ZEROS: Final = "0" * 64

SLUGS: Final = {
    "one_character": ("a", "2.2.1", "The shortest."),
    "sixty_four_characters": ("a" * 64, "2.2.1", "The longest."),
    "dots_and_dashes_inside": ("models-prod.v1.2", "2.2.2", "Both may be inside."),
    "a_device_name_and_a_digit_more": ("com10", "2.2.3", "No device has that name."),
    "a_device_name_after_a_dot": ("models.nul", "2.2.3", "Only the first part counts."),
}

BAD_SLUGS: Final = {
    "nothing": ("", "2.2.1", "A name has a character."),
    "sixty_five_characters": ("a" * 65, "2.2.1", "One more than the most."),
    "upper_case": ("Models", "2.2.1", "FAT keeps one case."),
    "an_underscore": ("models_prod", "2.2.1", "Not one of the characters."),
    "a_slash": ("models/prod", "2.2.1", "It would be two names."),
    "a_digit_of_another_script": ("models-٣", "2.2.1", "A digit, not 0 to 9."),
    "a_line_feed_after_it": ("models\n", "2.2.1", "A $ in many a pattern allows it."),
    "dot_first": (".models", "2.2.2", "Hidden in many a listing."),
    "dot_last": ("models.", "2.2.2", "Windows drops the dot."),
    "dash_first": ("-models", "2.2.2", "Commands take it for an option."),
    "dash_last": ("models-", "2.2.2", "Not at either end."),
    "a_device": ("nul", "2.2.3", "Windows opens a device."),
    "a_device_with_a_suffix": ("com1.models", "2.2.3", "Still the device."),
}

PATHS: Final = {
    "one_component": (b"config.json", "2.3.1", "A name."),
    "a_directory_above": (b"data/hello.txt", "2.3.2", "Two components."),
    "sixty_four_components": (b"/".join([b"a"] * 64), "2.3.1", "The deepest."),
    "a_thousand_and_twenty_four_bytes": (
        b"/".join([b"a" * 127] * 8) + b"a",
        "2.3.1",
        "The longest.",
    ),
    "a_component_of_255_bytes": (b"a" * 255, "2.3.3", "The longest of one name."),
    "a_dot_first": (b".gitattributes", "2.3.4", "Hidden, and allowed."),
    "a_space_inside": (b"a file.txt", "2.3.4", "Only at the end it is dropped."),
    "other_scripts": ("größe/日本語".encode(), "2.3.5", "Any letters."),
    "a_device_name_and_a_digit_more": (b"com10/lpt", "2.3.6", "No devices."),
    "a_device_name_after_a_dot": (b"a.con", "2.3.6", "Only the first part counts."),
}

BAD_PATHS: Final = {
    "nothing": (b"", "2.3.1", "A path has a component."),
    "a_thousand_and_twenty_five_bytes": (
        b"/".join([b"a" * 127] * 8) + b"aa",
        "2.3.1",
        "One more than the most.",
    ),
    "sixty_five_components": (b"/".join([b"a"] * 65), "2.3.1", "One too deep."),
    "not_utf8": (b"a/\xff", "2.3.1", "No Unicode text."),
    "a_surrogate": (b"a/\xed\xa0\x80", "2.3.1", "UTF-8 has no surrogates."),
    "overlong_utf8": (b"a\xc0\xaf..", "2.3.1", "A slash that is not the shortest."),
    "absolute": (b"/etc/passwd", "2.3.2", "The first component is empty."),
    "a_slash_last": (b"data/", "2.3.2", "The last component is empty."),
    "two_slashes": (b"data//hello.txt", "2.3.2", "A component is empty."),
    "a_dot": (b"data/./hello.txt", "2.3.2", "One file, two paths."),
    "two_dots": (b"data/../../etc", "2.3.2", "It leads out."),
    "nothing_but_two_dots": (b"..", "2.3.2", "It leads out."),
    "a_component_of_256_bytes": (b"data/" + b"a" * 256, "2.3.3", "One too long."),
    "a_component_of_256_bytes_in_fewer_letters": (
        ("é" * 128).encode(),
        "2.3.3",
        "Bytes count, not characters.",
    ),
    "a_dot_at_the_end": (b"data./a", "2.3.4", "Windows drops the dot."),
    "three_dots": (b"...", "2.3.4", "Windows drops all of them."),
    "a_space_at_the_end": (b"data/a ", "2.3.4", "Windows drops the space."),
    "a_line_feed": (b"a\nb", "2.3.5", "Category Cc: lists have one name a line."),
    "a_zero_byte": (b"a\0b", "2.3.5", "Category Cc: C ends a name there."),
    "a_next_line": ("a\u0085b".encode(), "2.3.5", "Category Cc, above ASCII."),
    "a_right_to_left_override": (
        "a\u202etxt.exe".encode(),
        "2.3.5",
        "Category Cf: it reads as something else.",
    ),
    "a_zero_width_space": ("a\u200bb".encode(), "2.3.5", "Category Cf: unseen."),
    "a_line_separator": ("a\u2028b".encode(), "2.3.5", "Category Zl."),
    "a_paragraph_separator": ("a\u2029b".encode(), "2.3.5", "Category Zp."),
    "a_device": (b"data/con", "2.3.6", "Windows opens a device."),
    "a_device_in_mixed_case_with_a_suffix": (b"Aux.h", "2.3.6", "Still the device."),
    "a_device_with_a_space_before_the_dot": (b"nul .txt", "2.3.6", "Still the device."),
    "a_device_with_a_superscript": ("lpt²".encode(), "2.3.6", "Windows folds it to 2."),
    "the_console": (b"CONIN$", "2.3.6", "A device too."),
}

RESERVED: Final = {
    "<": "less_than",
    ">": "greater_than",
    ":": "colon",
    '"': "quotation_mark",
    "|": "bar",
    "?": "question_mark",
    "*": "asterisk",
    "\\": "backslash",
}

COLLISIONS: Final = {
    "two_cases": (["a/README", "a/readme"], [], "2.4.1", "One file on Windows."),
    "a_ligature": (["ﬁle", "file"], [], "2.4.1", "NFKC makes them one."),
    "a_sharp_s": (["maße", "MASSE"], [], "2.4.1", "Case folding makes them one."),
    "composed_and_decomposed": (["é", "e\u0301"], [], "2.4.1", "One file on a Mac."),
    "folded_after_composing": (
        ["\u0390", "\u03aa\u0301"],
        [],
        "2.4.1",
        "One only if NFKC comes after the folding too.",
    ),
    "one_path_twice": (["a", "a"], [], "2.4.1", "Not even the very same."),
    "two_directories_listed": ([], ["a", "A"], "2.4.1", "Both are paths."),
    "directories_above": (["Data/a", "data/b"], [], "2.4.2", "Spelled differently."),
    "a_directory_listed_and_one_above": (
        ["data/a"],
        ["Data"],
        "2.4.2",
        "One is listed, one is above a file.",
    ),
    "directories_far_above": (["a/B/c/d", "a/b/c/e"], [], "2.4.2", "Deeper down."),
    "a_file_above_a_file": (["a", "a/b"], [], "2.4.3", "It is a directory too."),
    "a_file_above_a_file_in_another_case": (["A", "a/b"], [], "2.4.3", "The same."),
    "a_file_and_a_directory": (["a"], ["A"], "2.4.1 2.4.3", "One has to give way."),
}

DIGESTS: Final = {
    "upper_case": (f"blake3:{'A' * 64}", "There is one way to write it."),
    "a_digit_short": (f"blake3:{'a' * 63}", "63 digits."),
    "a_digit_too_many": (f"blake3:{'a' * 65}", "65 digits."),
    "without_the_algorithm": ("a" * 64, "It has to say which hash it is."),
    "another_algorithm": (f"sha256:{'a' * 64}", "Only BLAKE3 names content."),
    "the_algorithm_in_upper_case": (f"BLAKE3:{'a' * 64}", "One way to write it."),
    "a_line_feed_after_it": (
        f"blake3:{'a' * 64}\n",
        "A $ in many a pattern allows it.",
    ),
    "a_blank_before_it": (f" blake3:{'a' * 64}", "Nothing around it."),
    "a_letter_that_is_no_digit": (f"blake3:{'a' * 63}g", "g."),
}

MOMENTS: Final = {
    "a_date": ("2026-01-31T12:00:00Z", 1769860800),
    "the_first_second": ("1970-01-01T00:00:00Z", 0),
    "a_leap_day": ("2028-02-29T23:59:59Z", 1835481599),
    "the_last_second": ("9999-12-31T23:59:59Z", 253402300799),
}

BAD_MOMENTS: Final = {
    "a_fraction": ("2026-01-31T12:00:00.5Z", "Whole seconds."),
    "an_offset": ("2026-01-31T13:00:00+01:00", "UTC."),
    "an_offset_of_nothing": ("2026-01-31T12:00:00+00:00", "Z, not +00:00."),
    "a_small_z": ("2026-01-31T12:00:00z", "Z, not z."),
    "a_blank_in_the_middle": ("2026-01-31 12:00:00Z", "T, not a blank."),
    "no_such_day": ("2026-02-30T12:00:00Z", "February has no 30th."),
    "a_leap_second": ("2016-12-31T23:59:60Z", "There was one; it is not written."),
    "hour_24": ("2026-01-31T24:00:00Z", "Midnight is 00:00:00."),
    "before_1970": ("1969-12-31T23:59:59Z", "Nothing was made so early."),
    "a_year_of_five_digits": ("12026-01-31T12:00:00Z", "Four digits."),
    "digits_of_another_script": ("٢٠٢٦-01-31T12:00:00Z", "0 to 9."),
    "a_line_feed_after_it": ("2026-01-31T12:00:00Z\n", "Nothing around it."),
}


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    for name, (text, rule, comment) in SLUGS.items():
        yield accept("slug", name, rule, text.encode(), comment)
    for name, (text, rule, comment) in BAD_SLUGS.items():
        yield refuse("slug", name, rule, text.encode(), comment, names="2.2")
    for name, (data, rule, comment) in PATHS.items():
        yield accept("path", name, rule, data, comment)
    yield from _bad_paths()
    yield from _collisions()
    yield from _digests()
    for name, (text, seconds) in MOMENTS.items():
        value = {"seconds": seconds}
        comment = "Seconds since 1970."
        yield accept("time", name, "8.3.7", text.encode(), comment, value=value)
    for name, (text, comment) in BAD_MOMENTS.items():
        yield refuse("time", name, "8.3.7", text.encode(), comment)


def _bad_paths() -> Iterator[Vector]:
    for name, (data, rule, comment) in BAD_PATHS.items():
        yield refuse("path", name, rule, data, comment, names="2.3")
    for character, word in RESERVED.items():
        data = f"data/a{character}b".encode()
        comment = f"Windows reserves {character} for itself."
        yield refuse("path", f"a_{word}", "2.3.5", data, comment, names="2.3")


def _paths(files: list[str], directories: list[str]) -> bytes:
    # Escaped, so that what looks alike stays apart in an editor.
    return json.dumps({"files": files, "directories": directories}).encode()


def _collisions() -> Iterator[Vector]:
    apart = _paths(["a/b", "a/c", "b", "größe", "grosse"], ["a/d", "e"])
    comment = "No two of these are one anywhere."
    yield accept("paths", "all_apart", "2.4.1 2.4.2 2.4.3", apart, comment)
    same = _paths(["data/a", "data/b"], ["data/c"])
    comment = "One directory, spelled the same way each time."
    yield accept("paths", "one_directory_above_three", "2.4.2", same, comment)
    for name, (files, directories, rule, comment) in COLLISIONS.items():
        body = _paths(files, directories)
        yield refuse("paths", name, rule, body, comment, names="2.4")


def _digests() -> Iterator[Vector]:
    text = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    value = {"names": ""}
    comment = "The digest of no bytes; value.names is them in hexadecimal."
    rules = "3.1.1 3.1.2"
    yield accept("digest", "of_nothing", rules, text.encode(), comment, value=value)
    text = "blake3:061f5822b5bab463c46d314bfd7098407b9f85fc132db044b16b67667928af6d"
    value = {"names": b"hello, air gap\n".hex()}
    comment = "The digest of value.names."
    yield accept("digest", "of_a_chunk", rules, text.encode(), comment, value=value)
    for name, (text, comment) in DIGESTS.items():
        yield refuse("digest", name, "3.1.1", text.encode(), comment, names="3.1")
