"""Images in layouts: whole ones, and ones that cannot be carried."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
import os
from hashlib import sha512
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from bundle.errors import SourceError, UsageError
from bundle.limits import MAX_OCI_LAYOUT_INDEX, MAX_OCI_MANIFEST
from bundle.oci import media_types
from bundle.oci.platforms import Platform
from bundle.oci.references import Reference
from bundle.packing.intake import Opened
from bundle.source.filter import ListOptions
from bundle.source.locate import parse_source
from bundle.source.options import SourceOptions
from tests.bundles import Site, no_flushing
from tests.images import AMD64, ARM64, JSON, Layout, dumps, noise

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bundle.source.base import SourceArtifact


def listed(path: Path, selected: str = "", **options: Any) -> list[SourceArtifact]:  # noqa: ANN401 - fields of SourceOptions
    source = parse_source(f"oci-layout:{path}{selected}", SourceOptions(**options))
    return asyncio.run(source.artifacts())


def names(path: Path, selected: str = "", **options: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - the same
    return [(one.kind, one.name) for one in listed(path, selected, **options)]


def blobs_of(artifact: SourceArtifact) -> set[str]:
    parts = (file.path.split("/") for file in artifact.files)
    return {":".join(part[1:]) for part in parts if part[0] == "blobs"}


def test_every_entry_is_an_artifact_of_its_kind(tmp_path: Path) -> None:
    layout = Layout()
    layout.image("v1", 1)
    layout.image("ghcr.io/acme/app:v2", 2)
    chart = layout.blob(media_types.HELM_CONFIG, b'{"name":"sie"}')
    layout.list(layout.manifest(config=chart), "sie:1.0.0")
    poem = layout.blob("application/vnd.acme.poem", b"{}")
    nameless = layout.list(layout.manifest(config=poem))
    path = layout.write(tmp_path / "My Images")
    assert names(path) == [
        ("helm-chart", "sie:1.0.0"),
        ("oci-artifact", f"my-images@{nameless['digest']}"),
        ("oci-image", "ghcr.io/acme/app:v2"),
        ("oci-image", "my-images:v1"),
    ]


@pytest.mark.parametrize("selected", [":v2", ":ghcr.io/acme/app:v2", "@{digest}"])
def test_one_image_is_selected(tmp_path: Path, selected: str) -> None:
    layout = Layout()
    layout.image("v1", 1)
    second = layout.image("ghcr.io/acme/app:v2", 2)
    path = layout.write(tmp_path / "images")
    selected = selected.format(digest=second["digest"])
    assert names(path, selected) == [("oci-image", "ghcr.io/acme/app:v2")]


def test_what_is_not_there_cannot_be_selected(tmp_path: Path) -> None:
    layout = Layout()
    layout.image("v1", 1)
    path = layout.write(tmp_path / "images")
    with pytest.raises(SourceError, match="nothing in it is called v3") as caught:
        listed(path, ":v3")
    assert caught.value.advice == "there is v1"


@pytest.mark.parametrize("selected", [f":{'v' * 129}", ":V:1:2", "@sha256:12"])
def test_what_names_nothing_is_refused(tmp_path: Path, selected: str) -> None:
    with pytest.raises(UsageError, match="selects no image"):
        listed(tmp_path, selected)


def test_one_image_may_be_given_another_name(tmp_path: Path) -> None:
    layout = Layout()
    layout.image("v1", 1)
    path = layout.write(tmp_path / "images")
    name = Reference.parse("ghcr.io/acme/app:v1")
    (artifact,) = listed(path, ":v1", name=name)
    index = next(file for file in artifact.files if file.path == "index.json")
    assert isinstance(index.content, bytes)
    (entry,) = json.loads(index.content)["manifests"]
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": str(name)}
    layout.image("v2", 2)
    layout.write(path)
    with pytest.raises(SourceError, match="is to name 2 images"):
        listed(path, name=name)


def about(layout: Layout, image: JSON) -> set[str]:
    """Put in what may be about an image; return the digests of all of it."""
    before = {*layout.blobs}
    signature = layout.cosign(image, "sig", b"signed")
    layout.cosign(image, "att", b"attested")
    bill = layout.referrer(image, "application/spdx+json", b"{}")
    layout.referrer(bill, "application/vnd.acme.review", b"read")
    assert signature
    return {*layout.blobs} - before


def test_what_is_about_an_image_travels_with_it(tmp_path: Path) -> None:
    layout = Layout()
    layout.image("v1", 1)
    image = layout.image("v2", 2)
    riders = about(layout, image)
    first, second = listed(layout.write(tmp_path / "images"))
    assert riders <= blobs_of(second)
    assert not riders & blobs_of(first)
    roles = [note.partition(",")[0] for note in second.notes]
    assert sorted(roles[1:]) == [
        "application/vnd.acme.review",
        "attestation",
        "bill of materials",
        "signature",
    ]


def test_what_is_about_one_platform_travels_with_the_index(tmp_path: Path) -> None:
    layout = Layout()
    child = {**layout.manifest(layout.layer({"a": b"1"})), "platform": AMD64}
    layout.list(layout.index(child), "v1")
    riders = about(layout, child)
    (artifact,) = listed(layout.write(tmp_path / "images"))
    assert riders <= blobs_of(artifact)


def test_an_index_under_the_tag_of_a_digest_leads_to_referrers(tmp_path: Path) -> None:
    layout = Layout()
    image = layout.image("v1", 1)
    bill = layout.referrer(image, "application/spdx+json", b"{}")
    layout.entries.pop()
    layout.list(layout.index(bill), image["digest"].replace(":", "-"))
    (artifact,) = listed(layout.write(tmp_path / "images"))
    assert bill["digest"] in blobs_of(artifact)


def test_a_signature_of_what_is_not_here_is_an_artifact(tmp_path: Path) -> None:
    layout = Layout()
    elsewhere = Layout().image("v1", 1)
    layout.cosign(elsewhere, "sig", b"signed")
    (artifact,) = listed(layout.write(tmp_path / "images"))
    assert artifact.name.endswith(".sig")


def certificate(*names: x509.GeneralName) -> x509.Certificate:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "signer")])
    day = dt.datetime(2026, 1, 31, tzinfo=dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(day)
        .not_valid_after(day + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, None)
    )


def test_who_signed_is_what_the_certificate_says(tmp_path: Path) -> None:
    layout = Layout()
    image = layout.image("v1", 1)
    pem = certificate(x509.RFC822Name("release@example.com"))
    text = pem.public_bytes(Encoding.PEM).decode()
    more = {"annotations": {"dev.sigstore.cosign/certificate": text}}
    layout.cosign(image, "sig", b"signed", **more)
    url = "https://ci.example.com/\u202ebuild"
    der = certificate(x509.UniformResourceIdentifier("https://ci.example.com/build"))
    raw = base64.b64encode(der.public_bytes(Encoding.DER)).decode()
    material = {"verificationMaterial": {"certificate": {"rawBytes": raw}}}
    kind = "application/vnd.dev.sigstore.bundle.v0.3+json"
    layout.referrer(image, kind, dumps(material))
    (artifact,) = listed(layout.write(tmp_path / "images"))
    notes = " ".join(artifact.notes)
    assert "signature by release@example.com, not verified here: sha256:" in notes
    assert "signature by https://ci.example.com/build, not verified here" in notes
    assert url not in notes


@pytest.mark.parametrize("text", ["", "no certificate", "-----BEGIN CERTIFICATE-----"])
def test_a_signature_without_a_certificate_names_nobody(
    tmp_path: Path, text: str
) -> None:
    layout = Layout()
    image = layout.image("v1", 1)
    more = {"annotations": {"dev.sigstore.cosign/certificate": text}}
    layout.cosign(image, "sig", b"signed", **more)
    (artifact,) = listed(layout.write(tmp_path / "images"))
    assert artifact.notes[1].startswith("signature, not verified here: ")


def test_platforms_and_licences_are_told(tmp_path: Path) -> None:
    layout = Layout()
    children = [
        {**layout.manifest(config=layout.config(one)), "platform": one}
        for one in (AMD64, ARM64)
    ]
    licence = {"org.opencontainers.image.licenses": "Apache-2.0\n# Approved"}
    layout.list(layout.index(*children, annotations=licence), "v1")
    config = layout.config(ARM64, config={"Labels": licence})
    layout.list(layout.manifest(config=config), "v2")
    first, second = listed(layout.write(tmp_path / "images"))
    assert first.notes == ("platforms: linux/amd64, linux/arm64/v8",)
    assert second.notes == ("platforms: linux/arm64/v8",)
    assert first.licence == second.licence == "Apache-2.0 # Approved"


def test_a_platform_leaves_the_others_out_and_says_so(tmp_path: Path) -> None:
    layout = Layout()
    children = [
        {**layout.manifest(config=layout.config(one)), "platform": one}
        for one in (AMD64, ARM64)
    ]
    root = layout.list(layout.index(*children), "v1")
    path = layout.write(tmp_path / "images")
    (artifact,) = listed(path, platforms=(Platform.parse("linux/arm64"),))
    assert artifact.revision == root["digest"]
    assert children[0]["digest"] not in blobs_of(artifact)
    assert children[1]["digest"] in blobs_of(artifact)
    (warning,) = artifact.warnings
    assert warning.startswith("left out by --platform: linux/amd64; the index keeps")


def test_images_are_wanted_whole_or_not_at_all(tmp_path: Path) -> None:
    layout = Layout()
    layout.image("ghcr.io/acme/app:v1", 1)
    layout.image("ghcr.io/acme/tool:v1", 2)
    path = layout.write(tmp_path / "images")
    only = ListOptions(include=("ghcr.io/acme/app*",))
    assert [name for _, name in names(path, listing=only)] == ["ghcr.io/acme/app:v1"]
    without = ListOptions(exclude=("*/app:*",))
    assert [name for _, name in names(path, listing=without)] == [
        "ghcr.io/acme/tool:v1"
    ]


def test_blobs_that_are_missing_are_listed(tmp_path: Path) -> None:
    layout = Layout()
    layout.image("v1", 1, 2)
    layers = sorted(layout.blobs, key=lambda one: len(layout.blobs[one]))[-2:]
    for digest in layers:
        del layout.blobs[digest]
    path = layout.write(tmp_path / "images")
    with pytest.raises(SourceError, match="2 of its blobs are missing") as caught:
        listed(path)
    assert caught.value.exit_code == 15
    assert {line.partition(" ")[0] for line in caught.value.left} == {*layers}
    options = SourceOptions(listing=ListOptions(keep_going=True))
    (left,) = asyncio.run(parse_source(f"oci-layout:{path}", options).artifacts())
    assert (len(left.files), len(left.problems)) == (0, 3)


def test_a_manifest_that_is_missing_is_listed(tmp_path: Path) -> None:
    layout = Layout()
    child = layout.manifest()
    layout.list(layout.index(child), "v1")
    del layout.blobs[child["digest"]]
    with pytest.raises(SourceError) as caught:
        listed(layout.write(tmp_path / "images"))
    assert caught.value.left[0].startswith(f"{child['digest']} is missing")


def test_a_foreign_layer_is_said_and_left(tmp_path: Path) -> None:
    layout = Layout()
    kind = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    here = layout.blob(kind, b"here")
    gone = layout.blob(kind, b"gone", urls=["https://example.com/layer"])
    layout.list(layout.manifest(here, gone), "v1")
    del layout.blobs[gone["digest"]]
    (artifact,) = listed(layout.write(tmp_path / "images"))
    assert here["digest"] in blobs_of(artifact)
    (warning,) = artifact.warnings
    assert f"the foreign layer {gone['digest']} is not carried" in warning
    assert "https://example.com/layer" in warning


def test_a_type_that_nobody_knows_is_carried(tmp_path: Path) -> None:
    layout = Layout()
    odd = layout.blob("application/vnd.acme.poem.v9+lzma", b"roses")
    layout.list(layout.manifest(odd), "v1")
    layout.list(layout.blob("application/vnd.acme.poem", b"violets"), "v2")
    first, second = sorted(
        listed(layout.write(tmp_path / "images")), key=lambda one: one.name
    )
    assert odd["digest"] in blobs_of(first)
    assert (second.kind, len(blobs_of(second))) == ("oci-artifact", 1)


def test_a_blob_may_have_a_longer_digest(tmp_path: Path) -> None:
    layout = Layout()
    data = b"longer" * 99
    name = f"sha512:{sha512(data).hexdigest()}"
    layout.blobs[name] = data
    layer = {"mediaType": media_types.OCI_LAYER, "digest": name, "size": len(data)}
    layout.list(layout.manifest(layer), "v1")
    path = layout.write(tmp_path / "images")
    (artifact,) = listed(path)
    assert name in blobs_of(artifact)
    with no_flushing():
        Site(tmp_path).bundle(parse_source(f"oci-layout:{path}"))
        (path / "blobs" / name.replace(":", "/")).write_bytes(data[::-1])
        with pytest.raises(SourceError, match="its SHA-512 is not the one"):
            Site(tmp_path / "b").bundle(parse_source(f"oci-layout:{path}"))


def test_a_damaged_blob_is_found_when_it_is_packed(tmp_path: Path) -> None:
    layout = Layout()
    layout.image("v1", 1)
    largest = max(layout.blobs, key=lambda one: len(layout.blobs[one]))
    layout.blobs[largest] = noise(7, len(layout.blobs[largest]))
    path = layout.write(tmp_path / "images")
    with no_flushing(), pytest.raises(SourceError, match="its SHA-256 is not the one"):
        Site(tmp_path).bundle(parse_source(f"oci-layout:{path}"))


def test_a_damaged_image_is_left_out_whole(tmp_path: Path) -> None:
    layout = Layout()
    layout.image("v1", 1)
    layout.image("v2", 2)
    largest = max(layout.blobs, key=lambda one: len(layout.blobs[one]))
    layout.blobs[largest] = noise(7, len(layout.blobs[largest]))
    path = layout.write(tmp_path / "images")
    options = SourceOptions(listing=ListOptions(keep_going=True))
    with no_flushing():
        source = parse_source(f"oci-layout:{path}", options)
        report = Site(tmp_path).pack(source, keep_going=True)
    assert len(report.artifacts) == len(report.problems) == 1


def with_manifest(data: bytes, media_type: str = media_types.OCI_MANIFEST) -> Layout:
    layout = Layout()
    layout.list(layout.blob(media_type, data), "v1")
    return layout


def twice() -> Layout:
    layout = Layout()
    one = layout.manifest()
    data = layout.blobs.pop(one["digest"])
    return with_manifest(data.replace(b'"layers"', b'"layers":[],"layers"'))


def described_as(**changes: object) -> Layout:
    layout = Layout()
    one = layout.image("v1", 1)
    assert one
    layout.entries[0].update(changes)
    return layout


def schema_1() -> Layout:
    document = {"schemaVersion": 1, "name": "a", "fsLayers": [], "history": []}
    kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    return with_manifest(dumps(document), kind)


ODD = {
    "a manifest of schema 1": (schema_1, "schema 1"),
    "a member twice": (twice, "'layers' is there twice"),
    "no JSON": (lambda: with_manifest(b"<html>"), "not JSON"),
    "another type": (
        lambda: described_as(mediaType=media_types.OCI_INDEX),
        "calls itself",
    ),
    "over 4 MiB": (
        lambda: with_manifest(b" " * (MAX_OCI_MANIFEST + 1)),
        f"over {MAX_OCI_MANIFEST}",
    ),
    "a digest that leads out": (
        lambda: described_as(digest="sha256:../../../etc/passwd"),
        "not a digest",
    ),
    "a tag of 129 characters": (
        lambda: described_as(
            annotations={"org.opencontainers.image.ref.name": "v" * 129}
        ),
        "its tag",
    ),
    "a manifest of another size": (lambda: described_as(size=9), "9 were promised"),
}


@pytest.mark.parametrize(("make", "message"), ODD.values(), ids=ODD.keys())
def test_what_is_odd_is_refused_with_words(
    tmp_path: Path, make: Callable[[], Layout], message: str
) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        listed(make().write(tmp_path / "images"))
    assert caught.value.exit_code == 15


def no_layout(root: Path) -> None:
    root.mkdir()


def no_index(root: Path) -> None:
    Layout().write(root)
    (root / "index.json").unlink()


def a_later_version(root: Path) -> None:
    Layout().write(root)
    (root / "oci-layout").write_bytes(b'{"imageLayoutVersion":"2.0.0"}')


def a_link_out(root: Path) -> None:
    layout = Layout()
    layout.image("v1", 1)
    layout.write(root)
    digest = max(layout.blobs, key=lambda one: len(layout.blobs[one]))
    place = root / "blobs" / digest.replace(":", "/")
    outside = root.parent / "outside"
    place.rename(outside)
    place.symlink_to(outside)


def a_pipe(root: Path) -> None:
    layout = Layout()
    layout.image("v1", 1)
    layout.write(root)
    digest = max(layout.blobs, key=lambda one: len(layout.blobs[one]))
    place = root / "blobs" / digest.replace(":", "/")
    place.unlink()
    os.mkfifo(place)


def too_long_an_index(root: Path) -> None:
    Layout().write(root)
    (root / "index.json").write_bytes(b" " * (MAX_OCI_LAYOUT_INDEX + 2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (no_layout, "not an image layout"),
        (no_index, "not an image layout"),
        (a_later_version, "layout of version '2.0.0'"),
        (a_link_out, "outside"),
        (a_pipe, "not a regular file"),
        (too_long_an_index, f"over {MAX_OCI_LAYOUT_INDEX}"),
    ],
)
def test_a_directory_that_is_no_layout_is_refused(
    tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    make(tmp_path / "images")
    with pytest.raises(SourceError, match=message):
        listed(tmp_path / "images")


def test_links_that_stay_inside_are_followed(tmp_path: Path) -> None:
    layout = Layout()
    layout.image("v1", 1)
    root = layout.write(tmp_path / "images")
    (root / "blobs/sha256").rename(root / "shared")
    (root / "blobs/sha256").symlink_to("../shared")
    (artifact,) = listed(root)
    for file in artifact.files:
        Opened(file).close()


def test_nothing_is_packed_of_a_layout_without_images(tmp_path: Path) -> None:
    assert listed(Layout().write(tmp_path / "images")) == []


def test_what_is_wrong_with_one_image_is_no_matter_of_another(tmp_path: Path) -> None:
    layout = schema_1()
    layout.image("v2", 1)
    path = layout.write(tmp_path / "images")
    assert names(path, ":v2") == [("oci-image", "images:v2")]
    with pytest.raises(SourceError, match="schema 1"):
        listed(path)
    some, whole = listed(path, listing=ListOptions(keep_going=True))
    assert (some.files, len(some.problems)) == ((), 1)
    assert whole.name == "images:v2"
