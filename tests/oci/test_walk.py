"""What an image needs, found by reading its manifests."""

from __future__ import annotations

import msgspec
import pytest

from bundle.errors import FormatError, LimitError
from bundle.limits import MAX_OCI_MANIFESTS, MAX_OCI_NESTING
from bundle.oci import walk as walking
from bundle.oci.descriptors import Descriptor
from bundle.oci.platforms import Platform
from bundle.oci.walk import walk
from tests.images import AMD64, ARM64, JSON, Layout


def described(one: JSON) -> Descriptor:
    return msgspec.convert(one, Descriptor)


def needs(layout: Layout, root: JSON, *platforms: str) -> walking.Needs:
    return walk(
        described(root),
        lambda one: layout.blobs.get(one.digest),
        platforms=tuple(map(Platform.parse, platforms)),
    )


def both() -> tuple[Layout, JSON, list[JSON]]:
    """An index of two platforms, with an attestation for each."""
    layout = Layout()
    children: list[JSON] = []
    for number, platform in enumerate((AMD64, ARM64)):
        layer = layout.layer({"a": b"%d" % number})
        image = layout.manifest(layer, config=layout.config(platform))
        about = layout.manifest(
            layout.blob("application/vnd.in-toto+json", b"%d" % number)
        )
        children += [
            {**image, "platform": platform},
            {
                **about,
                "platform": {"os": "unknown", "architecture": "unknown"},
                "annotations": {"vnd.docker.reference.digest": image["digest"]},
            },
        ]
    return layout, layout.index(*children), children


def test_everything_is_found_once_and_leaves_come_first() -> None:
    layout, root, children = both()
    found = needs(layout, root)
    assert found.all.keys() == layout.blobs.keys()
    assert [*found.documents] == [*(one["digest"] for one in children), root["digest"]]


def test_a_platform_takes_what_is_about_it_too() -> None:
    layout, root, children = both()
    found = needs(layout, root, "linux/arm64")
    taken = [one["digest"] for one in children[2:]]
    assert [*found.documents] == [*taken, root["digest"]]
    assert {*found.left_out} == {one["digest"] for one in children[:2]}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("linux/arm64/v8", 2),
        ("linux/arm64/v7", 0),
        ("linux/amd64", 2),
        ("windows/amd64", 0),
    ],
)
def test_variants_and_systems_count(text: str, count: int) -> None:
    layout, root, _ = both()
    assert len(needs(layout, root, text).documents) == count + 1


def test_a_manifest_that_was_named_itself_is_taken_whatever_it_is_for() -> None:
    layout, _, children = both()
    assert len(needs(layout, children[0], "linux/arm64").documents) == 1


def test_an_index_that_leads_to_itself_is_refused() -> None:
    layout = Layout()
    outer = layout.index(layout.index())
    endless = layout.blobs[outer["digest"]]
    with pytest.raises(FormatError, match="leads to itself") as caught:
        walk(described(outer), lambda _: endless)
    assert caught.value.rule == "90.4.2"


def nested(layout: Layout, levels: int) -> JSON:
    one = layout.manifest()
    for _ in range(levels):
        one = layout.index(one)
    return one


def test_nesting_is_bounded() -> None:
    layout = Layout()
    needs(layout, nested(layout, MAX_OCI_NESTING))
    with pytest.raises(LimitError, match="nested over"):
        needs(layout, nested(layout, MAX_OCI_NESTING + 1))


def test_manifests_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_OCI_MANIFESTS == 10_000
    monkeypatch.setattr(walking, "MAX_OCI_MANIFESTS", 3)
    layout = Layout()
    few = [layout.manifest(layout.layer({str(number): b""})) for number in range(3)]
    needs(layout, layout.index(*few[:2]))
    with pytest.raises(LimitError, match="over 3 manifests"):
        needs(layout, layout.index(*few))


def test_what_nobody_reads_is_taken_as_it_is() -> None:
    layout = Layout()
    odd = layout.blob("application/vnd.acme.poem.v7", b"roses are red")
    root = layout.index(odd)
    found = needs(layout, root)
    assert odd["digest"] in found.blobs


def test_a_foreign_layer_is_not_missed() -> None:
    layout = Layout()
    kind = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    layer = layout.blob(kind, b"elsewhere")
    found = needs(layout, layout.manifest(layer))
    assert [*found.foreign] == [layer["digest"]]


def test_a_manifest_that_is_not_there_is_missing() -> None:
    layout, root, children = both()
    del layout.blobs[children[0]["digest"]]
    assert [*needs(layout, root).missing] == [children[0]["digest"]]
