"""What is carried, declared in a file: packed from it, and compared with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bundle.source.declared import read_set, sources_of
from bundle.source.options import SourceOptions
from tests.images import Layout, noise

if TYPE_CHECKING:
    from tests.cli.shell import Shell

SET = """\
stream = "docs"
platforms = ["linux/amd64"]

[[image]]
name = "ghcr.io/acme/app:v1"
source = "oci-layout:images:v1"

[[tree]]
path = "manuals"
exclude = ["*/figure.png"]
"""


@pytest.fixture
def declared(sender: Shell) -> Path:
    """A set of one image and one tree, beside what it names."""
    layout = Layout()
    layout.image("v1", 1)
    layout.image("v2", 2)
    layout.write(sender.home / "images")
    path = sender.home / "set.toml"
    path.write_text(SET)
    return path


def states(sender: Shell, path: Path, *more: object) -> dict[str, str]:
    ran = sender.ok("set", "check", path, "--json", *more)
    found = {event["name"]: event["state"] for event in ran.of("upstream")}
    fresh = sum(state in ("new", "changed") for state in found.values())
    assert (ran.result["artifacts"], ran.result["fresh"]) == (len(found), fresh)
    return found


def test_everything_is_new_at_first(sender: Shell, declared: Path) -> None:
    assert states(sender, declared) == {"ghcr.io/acme/app:v1": "new", "manuals": "new"}


def test_what_a_set_declares_is_packed(sender: Shell, declared: Path) -> None:
    ran = sender.ok("pack", "--set", declared, "--json")
    names = {event["name"]: event for event in ran.of("artifact")}
    assert names.keys() == {"ghcr.io/acme/app:v1", "manuals"}
    assert names["ghcr.io/acme/app:v1"]["notes"] == ["platforms: linux/amd64"]
    files = sender.ok("ls", ran.result["bundle"], "manuals", "--trust", root(sender))
    assert "figure.png" not in files.out
    assert states(sender, declared) == {
        "ghcr.io/acme/app:v1": "same",
        "manuals": "same",
    }


def root(sender: Shell) -> Path:
    return sender.home / "keys/1.root.json"


def test_what_is_new_upstream_is_named(sender: Shell, declared: Path) -> None:
    sender.ok("pack", "--set", declared)
    layout = Layout()
    layout.list(layout.manifest(layout.layer({"b": noise(9)})), "v1")
    layout.write(sender.home / "images")
    (sender.home / "manuals/install/part-1.md").write_text("changed\n")
    assert set(states(sender, declared).values()) == {"changed"}
    declared.write_text(SET.partition("[[tree]]")[0])
    ran = sender.ok("set", "check", declared)
    assert ran.lines[1].startswith("changed oci-image ghcr.io/acme/app:v1 sha256:")
    assert ran.lines[2] == "unlisted tree manuals"
    assert ran.lines[3] == "docs: 1 artifact new since release 1"


def test_a_file_that_left_a_tree_is_a_change(sender: Shell, declared: Path) -> None:
    sender.ok("pack", "--set", declared)
    (sender.home / "manuals/install/part-1.md").unlink()
    assert states(sender, declared)["manuals"] == "changed"


def test_sources_may_be_named_beside_a_set(sender: Shell, declared: Path) -> None:
    ran = sender.ok(
        *("pack", f"oci-layout:{sender.home / 'images'}:v2"),
        *("--set", declared, "--json", "--platform", "linux/amd64"),
    )
    assert "images:v2" in {event["name"] for event in ran.of("artifact")}


BAD = {
    "no_toml": ("[[image", "set.toml:1: not TOML"),
    "an_unknown_field": ('[[image]]\nnme = "a"', "set.toml:2"),
    "nothing": ("", "declares nothing"),
    "an_image_of_upper_case": ('[[image]]\nname = "ghcr.io/A/b"', "names no image"),
    "a_platform_of_one_word": (
        '[[image]]\nname = "a/b"\nplatforms = ["linux"]',
        "is no platform",
    ),
    "a_tree_as_an_image": (
        '[[image]]\nname = "a/b"\nsource = "tree:x"',
        "no source of an image",
    ),
    "a_chart_that_is_nowhere": ("[[chart]]", "either file or oci"),
    "a_chart_in_two_places": (
        '[[chart]]\nfile = "a.tgz"\noci = "ghcr.io/a"',
        "either file or oci",
    ),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD.keys())
def test_a_set_that_is_wrong_is_refused(sender: Shell, text: str, message: str) -> None:
    path = sender.home / "set.toml"
    path.write_text(text)
    ran = sender("set", "check", path, "--stream", "docs")
    assert (ran.code, message in ran.err) == (2, True), ran.err
    assert sender("pack", "--set", path).code == 2


def test_a_set_that_is_not_there_is_a_matter_of_the_source(sender: Shell) -> None:
    assert sender("pack", "--set", sender.home / "no.toml").code == 15


def test_something_has_to_be_named(sender: Shell) -> None:
    ran = sender("pack")
    assert (ran.code, "name a SOURCE, or --set" in ran.err) == (2, True)


def test_a_set_without_a_stream_needs_one(sender: Shell, declared: Path) -> None:
    declared.write_text(SET.partition("\n")[2])
    del sender.variables["BUNDLE_STREAM"]
    ran = sender("set", "check", declared)
    assert (ran.code, "names no stream" in ran.err) == (2, True), ran.err


def test_the_example_in_the_documents_is_one() -> None:
    path = Path(__file__).parents[2] / "docs/set.example.toml"
    found = read_set(path)
    assert len(sources_of(found, path, SourceOptions())) == 8
    assert found.stream == "models-prod"
