"""spec/format.md, held to the code: its numbers, its tables, its examples."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bundle.errors import BundleError
from bundle.format.descriptor import Descriptor
from bundle.format.manifest import Manifest
from bundle.format.release import Release
from bundle.wire import read_json
from tests.format import test_manifest, test_release
from tests.format.samples import (
    sample_manifest,
    sample_release,
    tiny_recipe,
    tiny_volume,
)

ROOT = Path(__file__).parents[2]
SPEC = (ROOT / "spec/format.md").read_text()
SOURCES = sorted((ROOT / "bundle").rglob("*.py"))
RULES: list[str] = re.findall(r"^\| ([1-9](?:\.\d+){1,2}) \|", SPEC, re.MULTILINE)
SECTIONS: list[str] = re.findall(r"^#+ (\d+(?:\.\d+)?) ", SPEC, re.MULTILINE)
SCHEMAS = {
    name: json.loads((ROOT / f"spec/schemas/{name}.schema.json").read_text())
    for name in ("release", "manifest")
}


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", SPEC, re.DOTALL | re.MULTILINE)


def order(number: str) -> tuple[int, ...]:
    return tuple(map(int, number.split(".")))


def test_rules_are_numbered_in_order_without_a_gap() -> None:
    assert len(RULES) > 150
    for before, after in pairwise(map(order, RULES)):
        if before[:-1] == after[:-1]:
            assert after[-1] == before[-1] + 1, after
        else:
            assert before < after
            assert after[-1] == 1, after


def test_every_rule_is_in_its_section() -> None:
    section = ""
    for heading, rule in re.findall(
        r"^#+ (\d+(?:\.\d+)?) .*$|^\| ([1-9](?:\.\d+){1,2}) \|", SPEC, re.MULTILINE
    ):
        if heading:
            section = heading
        else:
            assert rule.rpartition(".")[0] == section


def test_the_contents_name_every_chapter() -> None:
    chapters = re.findall(r"^## (\d+) (.*)$", SPEC, re.MULTILINE)
    listed = re.findall(
        r"^\| (\d+) \| \[(.*?)\]\(#(.*?)\) \| here \|$", SPEC, re.MULTILINE
    )
    assert [(number, title) for number, title, _ in listed] == chapters
    for number, title, anchor in listed:
        words = re.sub(r"[^\w -]", "", f"{number} {title}".lower())
        assert anchor == words.replace(" ", "-")


@pytest.mark.parametrize(
    "path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_every_rule_that_code_names_is_there(path: Path) -> None:
    text = path.read_text()
    named = set(re.findall(r'"([1-9]\.[1-9]\d*(?:\.[1-9]\d*)?)"', text))
    named |= set(re.findall(r"\brules? ([1-9]\.\d+(?:\.\d+)?)", text))
    named |= set(re.findall(r"§([1-9]\.\d+(?:\.\d+)?)", text))
    assert named <= {*RULES, *SECTIONS}


def test_every_reference_inside_the_prose_leads_somewhere() -> None:
    named = set(re.findall(r"\((\d+\.\d+(?:\.\d+)?)\)", SPEC))
    named |= set(re.findall(r"\b(?:of|obeys?|see|With) (\d+\.\d+(?:\.\d+)?)\b", SPEC))
    here = {name for name in named if order(name)[0] < 10}
    assert len(here) > 15
    assert here <= {*RULES, *SECTIONS}


def tables(columns: str) -> list[list[list[str]]]:
    """Return the cells of each table with this head."""
    found = re.findall(
        rf"^\| {columns} \|\n\|[-:|]+\|\n((?:\|.*\n)+)", SPEC, re.MULTILINE
    )
    return [
        [
            [cell.strip() for cell in row.strip("|").split("|")]
            for row in table.splitlines()
        ]
        for table in found
    ]


def test_fields_follow_one_another() -> None:
    found = tables(r"offset \| size \| type \| field")
    assert len(found) == 11
    for table in found:
        end: int | None = 0
        for offset, size, kind, _ in table:
            if end is not None and offset.replace(",", "").isdigit():
                assert int(offset.replace(",", "")) == end
            end = None
            if size.isdigit() and offset.isdigit():
                end = int(offset) + int(size)
            widths = {"u8": "1", "u16": "2", "u32": "4", "u64": "8"}
            assert widths.get(kind, size) == size


def bytes_of(dump: str, start: int) -> bytes:
    """Return the bytes of a dump that begins at ``start``; ``*`` repeats a line."""
    data, repeat = b"", False
    for line in dump.splitlines():
        if line == "*":
            repeat = True
            continue
        place, _, rest = line.partition("  ")
        row = bytes.fromhex(rest.partition("|")[0])
        at = int(place, 16) - start
        if repeat:
            data += data[-16:] * ((at - len(data)) // 16)
        assert at == len(data), line
        assert rest.endswith(f"|{''.join(map(shown, row))}|")
        data, repeat = data + row, False
    return data


def shown(byte: int) -> str:
    return chr(byte) if 0x20 <= byte < 0x7F else "."


@pytest.mark.parametrize(
    ("name", "expected"),
    [("volume", tiny_volume()), ("recipe", tiny_recipe())],
    ids=["5.6", "6.9"],
)
def test_the_worked_example_is_what_the_code_writes(name: str, expected: bytes) -> None:
    data = b""
    for dump in blocks(f"hexdump {name}"):
        data += bytes_of(dump, len(data))
    assert data == expected
    assert f"It has {len(expected):,} bytes" in SPEC.replace("The recipe has", "It has")


def test_the_prose_about_the_examples_is_right() -> None:
    volume, recipe = tiny_volume(), tiny_recipe()
    assert volume[0x58:0x78] == volume[0x80:0xA0]
    assert volume[0x80] == 6
    assert volume[0xA4:0xB3] == b"hello, air gap\n"
    assert recipe[0x118:0x11B] == b"{}\n"


def test_the_examples_in_json_are_the_samples() -> None:
    (descriptor,) = blocks("json descriptor")
    found = read_json(descriptor.encode(), Descriptor, limit=1000, rule="2.5")
    assert found == Descriptor.of(found.media_type, b"")
    (release,) = blocks("json release")
    assert Release.parse(release.encode()) == sample_release()
    (manifest,) = blocks("json manifest")
    assert Manifest.parse(manifest.encode()) == sample_manifest()


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_examples_keep_the_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])
    (example,) = blocks(f"json {name}")
    jsonschema.validate(json.loads(example), SCHEMAS[name])


def test_what_is_written_keeps_the_schema() -> None:
    for release in test_release.RELEASES.values():
        jsonschema.validate(json.loads(release.serialize()), SCHEMAS["release"])
    written = json.loads(sample_manifest().serialize())
    jsonschema.validate(written, SCHEMAS["manifest"])


# What a schema cannot say: sums, order, one value against another, Unicode.
BEYOND = {
    "release": {
        "a subject too few",
        "a subject of another name",
        "a subject of another recipe",
        "a feature this reader does not have",
        "an expiry at its creation",
        "a name that leads out",
        "a budget below the sum",
        "a budget above the sum",
    },
    "manifest": {
        "a feature this reader does not have",
        "a shard more than there are",
        "recipes with a shard of their own",
        "a byte too many",
    },
}
CASES = [
    pytest.param(name, module.document, change, id=f"{name}: {sentence}")
    for name, module in (("release", test_release), ("manifest", test_manifest))
    for sentence, (change, _) in module.BAD.items()
    if sentence not in BEYOND[name]
]


@pytest.mark.parametrize(("name", "document", "change"), CASES)
def test_the_schema_refuses(name: str, document: Any, change: Any) -> None:  # noqa: ANN401 - JSON
    changed = document()
    change(changed)
    assert not jsonschema.Draft202012Validator(SCHEMAS[name]).is_valid(changed)


def test_an_error_says_its_rule() -> None:
    with pytest.raises(BundleError, match=r"\(rule 8\.3\.3\)"):
        Release.parse(sample_release().serialize().replace(b'"seq":1', b'"seq":0'))
