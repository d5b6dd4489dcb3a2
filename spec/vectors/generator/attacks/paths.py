"""Paths that lead out, meet, or are no names (2.3, 2.4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from spec.vectors.generator.attacks.kit import LANDMARK, Attack, attack, with_paths

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK: Final = LANDMARK.encode()

DEVICE: Final = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?"
)
"""Components that Windows takes for a device."""

TARFILE: Final = "CVE-2007-4559 (Python's tarfile)"
HUB: Final = "huggingface_hub #4540 (Windows only was checked)"
SEVEN: Final = "CVE-2022-44900 (py7zr)"
HELM: Final = "CVE-2024-25620 (Helm)"
ZARF: Final = "CVE-2026-40090 (Zarf, by a package's name)"
NUL: Final = "CVE-2023-41105 (Python's normpath stops at NUL)"
TAR: Final = "CVE-2021-37712 (node-tar, by Unicode); CVE-2021-37701 (node-tar, by case)"

LEADS_OUT: Final = {
    "dot_dot": (
        b"../" + MARK,
        "It is joined to the target and leads beside it.",
        TARFILE,
    ),
    "dot_dot_deeper": (
        b"a/b/../../../" + MARK,
        "Two levels in and three out: whoever only looks at the beginning is fooled.",
        f"{TARFILE}; {HELM}",
    ),
    "dot_dot_alone": (b"..", "The target's own parent, as a file.", TARFILE),
    "dot_dot_at_the_end": (b"a/..", "The target itself, as a file.", ""),
    "dot_dot_many": (
        b"../" * 20 + b"tmp/" + MARK,
        "To the root, from however deep.",
        TARFILE,
    ),
    "absolute": (
        b"/tmp/" + MARK,
        "Joining an absolute path forgets the target.",
        TARFILE,
    ),
    "absolute_twice": (b"//tmp/" + MARK, "Two slashes: some strip the one.", HELM),
    "dot": (b"./a", "Another way to write a path that may be there already.", ""),
    "dot_inside": (b"a/./b", "Two spellings of one file.", ""),
    "empty_component": (b"a//b", "Two spellings of one file.", ""),
    "slash_at_the_end": (b"a/", "A file that is a directory.", ""),
    "nothing": (b"", "A file without a name is the directory itself.", ""),
    "backslashes": (
        b"..\\" + MARK,
        "Harmless here, out of the target on Windows.",
        f"{HUB}; {SEVEN}",
    ),
    "backslashes_inside": (
        b"a\\..\\..\\" + MARK,
        "One component here, four on Windows.",
        HUB,
    ),
    "a_drive": (b"C:/" + MARK, "Absolute on Windows.", SEVEN),
    "a_drive_without_a_slash": (b"C:" + MARK, "The drive's own directory.", SEVEN),
    "a_share": (b"\\\\host\\share\\" + MARK, "Windows sends a password there.", SEVEN),
    "a_long_path_of_windows": (b"\\\\?\\C:\\" + MARK, "It is not even normalised.", ""),
    "a_device_of_windows": (b"\\\\.\\PhysicalDrive0", "The whole disk.", ""),
    "dot_dot_space": (
        b".. /" + MARK,
        "Windows drops the space, and two dots stay.",
        "",
    ),
    "dot_dot_dot": (b".../" + MARK, "Windows drops dots at the end.", ""),
    "a_dot_at_the_end": (b"a./b", "Windows drops it: another file's directory.", ""),
    "a_space_at_the_end": (b"a ", "Windows drops it: another file.", ""),
}

NO_NAMES: Final = {
    "a_stream_of_ntfs": (
        b"config.json:hidden",
        "Content that no listing shows.",
        "",
    ),
    "the_data_of_ntfs": (b"config.json::$DATA", "Another name of the same file.", ""),
    "con": (b"con", "Windows opens the console.", ""),
    "con_txt": (b"CON.txt", "Still the console.", ""),
    "aux_inside": (b"a/aux.h/b", "Still the device, as a directory.", ""),
    "nul_space": (b"nul .txt", "Still the device.", ""),
    "com1": (b"COM1", "A serial line.", ""),
    "com_superscript_1": ("com\u00b9.log".encode(), "Windows folds the digit.", ""),
    "lpt9": (b"lpt9.bin", "A printer.", ""),
    "conin": (b"conin$", "The keyboard.", ""),
    "conout": (b"CONOUT$", "The screen.", ""),
    "prn_as_a_directory": (b"prn/a", "A printer.", ""),
    "less_than": (b"a<b", "Windows reserves it.", ""),
    "a_bar": (b"a|b", "Windows reserves it, and shells run what follows.", ""),
    "a_question_mark": (b"a?", "Windows reserves it: a pattern.", ""),
    "an_asterisk": (b"*", "A pattern that rm would take at its word.", ""),
    "a_quotation_mark": (
        b'a"b',
        "Windows reserves it; it ends a string in many a script.",
        "",
    ),
    "nul": (b"a\0.txt", "C reads a name that ends before.", NUL),
    "a_line_feed": (b"a\nb", "A list with one name a line has two.", ""),
    "a_carriage_return": (
        b"a\rb",
        "A terminal shows only what follows.",
        "CVE-2021-25743 (kubectl)",
    ),
    "an_escape_sequence": (
        b"\x1b[2Ja",
        "The terminal of whoever lists it obeys.",
        "CVE-2021-25743 (kubectl); CVE-2026-45803 (gh)",
    ),
    "an_escape_in_one_byte": (
        "\u009b2Ja".encode(),
        "The same in C1.",
        "CVE-2021-25743 (kubectl)",
    ),
    "a_delete": (b"a\x7fb", "Unseen.", ""),
    "a_next_line": ("a\u0085b".encode(), "A line end to some.", ""),
    "an_override": (
        "model\u202etxt.exe".encode(),
        "It reads as modelexe.txt.",
        "CVE-2021-42574 (trojan source)",
    ),
    "an_isolate": (
        "a\u2066b\u2069".encode(),
        "It reads in another order.",
        "CVE-2021-42574 (trojan source)",
    ),
    "a_zero_width_space": (
        "con\u200bfig.json".encode(),
        "Two names that look the same.",
        "",
    ),
    "a_zero_width_joiner": ("a\u200db".encode(), "Unseen.", ""),
    "a_soft_hyphen": ("con\u00adfig".encode(), "Unseen.", ""),
    "a_byte_order_mark": (
        "\ufeffconfig.json".encode(),
        "Unseen, at the beginning.",
        "",
    ),
    "a_tag": ("a\U000e0041".encode(), "Unseen.", ""),
    "a_line_separator": ("a\u2028b".encode(), "A line end to JavaScript.", ""),
    "a_paragraph_separator": ("a\u2029b".encode(), "The same.", ""),
    "not_utf8": (b"a\xff", "One reader drops the byte, another replaces it.", ""),
    "overlong_dots": (
        b"\xc0\xae\xc0\xae/" + MARK,
        "Two dots in a way that UTF-8 forbids.",
        "CVE-2008-2938 (Tomcat)",
    ),
    "an_overlong_slash": (
        b"..\xc0\xaf" + MARK,
        "A slash in a way that UTF-8 forbids.",
        "CVE-2000-0884 (IIS)",
    ),
    "a_surrogate": (b"a\xed\xa0\x80", "UTF-16 in UTF-8's clothes.", ""),
    "cut_in_a_character": ("é".encode()[:1], "Half of one.", ""),
}

TOO_LONG: Final = {
    "over_1024_bytes": (
        b"/".join([b"a" * 127] * 8) + b"aa",
        "1,025 bytes: over PATH_MAX below a deep target.",
        "CVE-2025-4517 (tarfile, by a path too long to resolve)",
    ),
    "over_64_levels": (
        b"/".join([b"a"] * 65),
        "65 directories to make and to walk.",
        "",
    ),
    "over_255_bytes": (b"a" * 256, "No file system takes the name.", ""),
    "over_255_bytes_in_128_letters": (("é" * 128).encode(), "Bytes count.", ""),
}

MEET: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...], str, str, str]]] = {
    "twice": (
        ("a", "a"),
        (),
        "6.3.5",
        "The second would replace the first after it was checked.",
        "CVE-2016-10100 (Borg)",
    ),
    "in_two_cases": (
        ("Config.json", "config.json"),
        (),
        "2.4.1",
        "One file on Windows, on a Mac and on a stick.",
        TAR,
    ),
    "in_two_cases_of_a_directory": (
        ("Data/a", "data/b"),
        (),
        "2.4.2",
        "One directory there.",
        TAR,
    ),
    "composed_and_not": (("e\u0301", "\u00e9"), (), "2.4.1", "One file on a Mac.", TAR),
    "a_sharp_s": (
        ("STRASSE", "stra\u00dfe"),
        (),
        "2.4.1",
        "Folding makes them one.",
        TAR,
    ),
    "a_ligature": (
        ("file", "\ufb01le"),
        (),
        "2.4.1",
        "Compatibility makes them one.",
        TAR,
    ),
    "a_kelvin_sign": (
        ("k", "\u212a"),
        (),
        "2.4.1",
        "A K, with a code point of its own.",
        "",
    ),
    "full_width": (("a", "\uff21"), (), "2.4.1", "A wide A.", ""),
    "a_final_sigma": (("\u03c3", "\u03c2"), (), "2.4.1", "One letter, two shapes.", ""),
    "a_long_s": (("s", "\u017f"), (), "2.4.1", "One letter, two shapes.", ""),
    "a_file_above_a_file": (
        ("a", "a/b"),
        (),
        "2.4.3",
        "A file that is a directory.",
        "",
    ),
    "a_file_above_a_file_in_capitals": (
        ("A", "a/b"),
        (),
        "2.4.3",
        "The same on Windows.",
        TAR,
    ),
    "directories_listed_twice": ((), ("A", "a"), "2.4.1", "One there.", ""),
    "a_file_and_a_directory": (("a",), ("A",), "2.4.1", "One has to give way.", TAR),
}

OURS: Final = {
    "the_receivers_own_record": (
        b".bundle/published.json",
        "What this target says was published.",
    ),
    "the_receivers_own_staging": (
        b".bundle/run-0000000000000000/files/0",
        "A file on its way.",
    ),
    "the_receivers_own_in_capitals": (
        b".BUNDLE/store.json",
        "The same directory on Windows.",
    ),
    "the_receivers_own_in_full_width": (
        "\uff0ebundle/store.json".encode(),
        "The same by compatibility.",
    ),
}


def attacks() -> Iterator[Attack]:
    """Give every attack of this module."""
    for name, (path, comment, known) in (LEADS_OUT | NO_NAMES | TOO_LONG).items():
        rule = broken_by(path)
        names = "" if rule.startswith("6.") else "2.3"
        yield attack(
            "paths",
            f"path_{name}",
            rule,
            with_paths(path),
            comment,
            names=names,
            known=known,
        )
    for name, (files, directories, rule, comment, known) in MEET.items():
        bundle = with_paths(
            *(one.encode() for one in files),
            directories=[one.encode() for one in directories],
        )
        names = "" if rule.startswith("6.") else "2.4"
        yield attack(
            "paths",
            f"paths_{name}",
            rule,
            bundle,
            comment,
            names=names,
            known=known,
        )
    for name, (path, comment) in OURS.items():
        bundle = with_paths(path)
        yield attack(
            "paths",
            f"path_of_{name}",
            "30.3.1",
            bundle,
            comment,
            exit=14,
            given={"reader": "unpack"},
        )


def broken_by(path: bytes) -> str:
    """Return the rule that a path breaks."""
    try:
        components = path.decode().split("/")
    except UnicodeDecodeError:
        return "6.3.3"
    if not path:
        return "6.3.1"
    if len(path) > 1024 or len(components) > 64:
        return "2.3.1"
    tests = (
        ("2.3.2", lambda one: one in ("", ".", "..")),
        ("2.3.3", lambda one: len(one.encode()) > 255),
        ("2.3.4", lambda one: one[-1] in ". "),
        ("2.3.6", lambda one: DEVICE.fullmatch(one.casefold())),
    )
    for rule, breaks in tests:
        if any(breaks(one) for one in components):
            return rule
    return "2.3.5"
