"""Files on the medium that are none, that are missing, or that are too many (4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spec.vectors.generator.attacks.kit import Attack, attack
from spec.vectors.generator.container import Absent, Content, Link, Repeat
from spec.vectors.generator.medium import BASE_FILES
from spec.vectors.generator.samples import TINY_VOLUME

if TYPE_CHECKING:
    from collections.abc import Iterator

ZARF: Final = "CVE-2026-29064 (Zarf: links in packages)"
KUBECTL: Final = "CVE-2019-11246 (kubectl cp: links)"
ENDLESS: Final = "CVE-2024-45395 (sigstore-go: endless data)"
FILES: Final = (
    *("release.json", "bundle.json", "recipes.bdr", "shards.bds", "approval.md"),
    "vol-00001.bdv",
)
"""What a reader opens, beside what is in ``trust/``."""


def attacks() -> Iterator[Attack]:
    """Give every attack of this module."""
    for name in FILES:
        stem = name.replace(".", "_").replace("-", "_")
        moved = f"moved-{name}"
        files: dict[str, Content] = {name: Link(moved), moved: BASE_FILES[name]}
        yield attack(
            "media",
            f"link_as_{stem}",
            "4.4",
            files,
            "It leads to the right bytes; the next time it leads elsewhere.",
            known=ZARF,
        )
        files = {name: Link("/dev/zero")}
        yield attack(
            "media",
            f"link_to_zeros_as_{stem}",
            "4.4",
            files,
            "A file without an end.",
            known=ENDLESS,
        )
        yield attack(
            "media",
            f"link_to_itself_as_{stem}",
            "4.4",
            {name: Link(name)},
            "It never arrives.",
            known=ZARF,
        )
        rules = {
            "bundle.json": "26.1.1 4.1",
            "release.json": "26.1.3",
            "vol-00001.bdv": "26.1.8",
        }.get(name, "26.1.7")
        yield attack(
            "media",
            f"without_{stem}",
            rules,
            {name: Absent()},
            "It was taken away.",
            exit=13,
        )
    for name, kept in (("1.root.json", "moved.json"), ("1.roles.json", "moved.json")):
        stem = name.replace(".", "_")
        files = {
            f"trust/{name}": Link(kept),
            f"trust/{kept}": BASE_FILES[f"trust/{name}"],
        }
        yield attack(
            "media",
            f"link_as_{stem}",
            "4.4",
            files,
            "It leads to the right bytes; the next time it leads elsewhere.",
            known=ZARF,
        )
    yield attack(
        "media",
        "link_to_a_password_file_as_a_root",
        "4.4",
        {"trust/2.root.json": Link("/etc/passwd")},
        "The message would show what is in it.",
        known=KUBECTL,
    )
    secret: dict[str, Content] = {"approval.md": Link("../root.json")}
    yield attack(
        "media",
        "link_out_of_the_medium",
        "4.4",
        secret,
        "A file beside the medium is read as part of it.",
        known=KUBECTL,
    )
    for name, limit in (
        ("trust/2.root.json", 512_001),
        ("trust/2.roles.json", 512_001),
        ("approval.md", 64 << 20),
    ):
        stem = name.rpartition("/")[2].replace(".", "_")
        files = {name: (Repeat(b" ", limit),)}
        rules = "4.5 22.1.1" if "trust" in name else "3.2.4 3.2.3"
        yield attack(
            "media",
            f"blanks_without_an_end_as_{stem}",
            rules,
            files,
            "Endless data.",
            exit=10 if "trust" in name else 11,
            known=ENDLESS,
        )
    files = {"release.json": (Repeat(b" ", (64 << 20) + 1),)}
    yield attack(
        "media",
        "blanks_without_an_end_as_release_json",
        "4.5",
        files,
        "Endless data.",
        known=ENDLESS,
    )
    yield attack(
        "media",
        "crowd_in_trust",
        "4.7 2.1.4",
        {},
        "4,095 files that nobody asked for.",
        given={"crowd": "trust"},
        known=ENDLESS,
    )
    sizes: dict[str, tuple[bytes, str]] = {
        "a_byte_short": (TINY_VOLUME[:-1], "The copy was interrupted."),
        "a_byte_long": (TINY_VOLUME + b"\0", "Something was added."),
        "of_nothing": (b"", "The copy was begun."),
        "of_zeros": (bytes(len(TINY_VOLUME)), "The file system forgot it."),
        "twice_over": (TINY_VOLUME * 2, "It was copied twice."),
    }
    for name, (data, comment) in sizes.items():
        rules = "3.3.11" if name == "of_zeros" else "3.2.4 3.2.3"
        yield attack(
            "media",
            f"volume_file_{name}",
            rules,
            {"vol-00001.bdv": data},
            comment,
            exit=11,
        )
    for name, data in (("another", b"{}"), ("nothing", b"")):
        files = {"copy/release.json": data}
        yield attack(
            "media",
            f"copy_of_{name}",
            "4.8",
            files,
            "What a repair would take for the original.",
            exit=11,
            given={"reader": "verify"},
        )
    yield attack(
        "media",
        "link_as_the_directory_of_signatures",
        "4.4",
        {"sig": Link("trust")},
        "A verifier would list another directory.",
        given={"reader": "verify"},
        known=ZARF,
    )
