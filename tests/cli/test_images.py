"""Images on the command line: packed, shown, unpacked, compared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.images import Layout, names_in

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shell import Shell

APP = "ghcr.io/acme/app:v1"


@pytest.fixture
def layout(sender: Shell) -> Layout:
    """A layout of one signed image, written where the sender has it."""
    layout = Layout()
    image = layout.image(APP, 1, 2)
    layout.cosign(image, "sig", b"signed")
    layout.write(sender.home / "images")
    return layout


@pytest.fixture
def bundle(sender: Shell, layout: Layout) -> Path:
    """A bundle of that image."""
    assert layout.entries
    sender.ok("pack", f"oci-layout:{sender.home / 'images'}")
    return sender.home / "out/docs-000001"


def test_an_image_is_shown_with_what_a_reviewer_asks_for(
    receiver: Shell, layout: Layout, bundle: Path
) -> None:
    digest = layout.entries[0]["digest"]
    ran = receiver.ok("ls", bundle)
    assert ran.lines[1].startswith(f"oci-image {APP} {digest[:19]} ")
    assert f"{APP}: platforms: linux/amd64" in ran.lines
    assert f"{APP}: signature, not verified here: " in ran.out
    (event,) = receiver.ok("ls", bundle, "--json").of("artifact")
    assert event["revision"] == digest
    assert event["notes"][0] == "platforms: linux/amd64"
    paper = (bundle / "approval.md").read_text()
    assert "platforms: linux/amd64" in paper
    assert digest in paper
    assert receiver.ok("ls", bundle, APP).out.count("blobs/sha256/") == len(
        layout.blobs
    )


def test_an_image_is_unpacked_into_layouts_and_archives(
    sender: Shell, receiver: Shell, layout: Layout, bundle: Path
) -> None:
    place, archive = sender.home / "copy", sender.home / "copy.tar"
    words = ("unpack", bundle, "--to", f"oci-layout:{place}", f"oci-archive:{archive}")
    ran = receiver.ok(*words, "--json")
    targets = {event["target"] for event in ran.of("placed")}
    assert targets == {f"oci-layout:{place}", f"oci-archive:{archive}"}
    assert names_in(place)[APP] == layout.entries[0]["digest"]
    assert receiver.ok(*words, "--json").result["writtenFiles"] == 0
    assert archive.is_file()
    for target in (f"oci-layout:{place}", f"oci-archive:{archive}"):
        ran = receiver.ok("diff", target, bundle)
        assert ran.lines[-1] == "no difference"
    receiver.ok("doctor", f"oci-layout:{place}")


def test_a_tree_is_no_place_for_an_image(
    sender: Shell, receiver: Shell, bundle: Path
) -> None:
    ran = receiver("unpack", bundle, "--to", f"tree:{sender.home / 'x'}", "--json")
    assert (ran.code, ran.error["left"]) == (
        20,
        [f"oci-image {APP}: no target takes it"],
    )


def test_what_changed_in_an_image_is_told(
    sender: Shell, receiver: Shell, layout: Layout, bundle: Path
) -> None:
    before = layout.entries[0]["digest"]
    newer = Layout()
    after = newer.image(APP, 1, 3)["digest"]
    newer.write(sender.home / "images")
    sender.ok("pack", f"oci-layout:{sender.home / 'images'}", "--base", bundle)
    second = sender.home / "out/docs-000002"
    ran = receiver.ok("diff", bundle, second)
    (line,) = [line for line in ran.lines if line.startswith("changed")]
    assert f"{before[:19]} → {after[:19]}" in line
    assert f"revision {before} → {after}" in (second / "approval.md").read_text()


def test_blobs_that_are_missing_end_with_15_and_a_list(
    sender: Shell, layout: Layout
) -> None:
    place = sender.home / "images/blobs/sha256"
    largest = max(place.iterdir(), key=lambda path: path.stat().st_size)
    largest.unlink()
    ran = sender("pack", f"oci-layout:{sender.home / 'images'}", "--json")
    assert ran.code == 15
    (line,) = ran.error["left"]
    assert line.startswith(f"sha256:{largest.name} is missing")
    kept = sender("pack", f"oci-layout:{sender.home / 'images'}", "--keep-going")
    assert kept.code == 15
    assert layout.blobs


def test_an_archive_and_what_docker_saved_are_sources(
    sender: Shell, layout: Layout
) -> None:
    archive = layout.archive(sender.home / "images.tar")
    ran = sender.ok("pack", f"oci-archive:{archive}:{APP}", "--json")
    assert [event["name"] for event in ran.of("artifact")] == [APP]
    index = json.loads(layout.files()["index.json"])
    assert ran.of("artifact")[0]["revision"] == index["manifests"][0]["digest"]
