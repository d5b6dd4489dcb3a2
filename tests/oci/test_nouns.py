"""Digests, riders, layouts: small things that become paths and names."""

from __future__ import annotations

import pytest

from bundle.errors import FormatError, IntegrityError, LimitError
from bundle.limits import MAX_OCI_LAYOUT_INDEX, MAX_OCI_MANIFEST
from bundle.oci import layouts, manifests
from bundle.oci.descriptors import CONTAINERD_NAME, REF_NAME, Descriptor
from bundle.oci.digests import BlobDigest
from bundle.oci.media_types import OCI_MANIFEST
from bundle.oci.references import Reference, check_registry, check_repository, check_tag
from bundle.oci.riders import (
    cosign_tags,
    fallback_tag,
    is_fallback,
    role_of,
    subject_of,
)

HEX = "ab" * 32


def test_a_path_leads_back_to_its_digest() -> None:
    one = BlobDigest.parse(f"sha256:{HEX}")
    assert BlobDigest.of_path(one.path) == one
    longer = BlobDigest.parse(f"sha512:{HEX * 2}")
    assert BlobDigest.of_path(longer.path) == longer


@pytest.mark.parametrize(
    "path",
    [
        "",
        "blobs",
        "blobs/sha256",
        f"blobs/sha256/{HEX[1:]}",
        f"blobs/sha256/{HEX}/x",
        f"blobs/sha256/../sha256/{HEX}",
        f"blob/sha256/{HEX}",
        f"blobs/md5/{HEX[:32]}",
    ],
)
def test_no_other_path_is_a_blob(path: str) -> None:
    assert BlobDigest.of_path(path) is None


@pytest.mark.parametrize("data", [b"hell", b"hello!", b"jello"])
def test_content_of_another_digest_is_refused(data: bytes) -> None:
    one = Descriptor.of("text/plain", b"hello")
    one.check(b"hello")
    with pytest.raises(IntegrityError) as caught:
        one.check(data)
    assert caught.value.rule == "90.2.3"


def test_tags_of_cosign_lead_back_to_the_image() -> None:
    one = BlobDigest("sha256", HEX)
    assert {subject_of(tag) for tag in (*cosign_tags(one), fallback_tag(one))} == {one}
    assert is_fallback(fallback_tag(one))
    assert not is_fallback(cosign_tags(one)[0])
    assert fallback_tag(BlobDigest("sha512", HEX * 2)) == f"sha512-{HEX}"
    for tag in ("v1", f"sha256-{HEX}.exe", f"sha256-{HEX[1:]}", f"sha512-{HEX}"):
        assert subject_of(tag) is None


@pytest.mark.parametrize(
    ("tag", "about", "role"),
    [
        (f"sha256-{HEX}.sig", "", "signature"),
        (f"sha256-{HEX}.att", "", "attestation"),
        (f"sha256-{HEX}.sbom", "", "bill of materials"),
        (None, "application/vnd.dev.sigstore.bundle.v0.3+json", "signature"),
        (None, "application/spdx+json", "bill of materials"),
        (None, "application/vnd.in-toto+json", "in-toto attestation"),
        (None, "application/vnd.acme.poem", "application/vnd.acme.poem"),
        (None, "", "referrer"),
    ],
)
def test_what_is_about_an_image_is_named(
    tag: str | None, about: str, role: str
) -> None:
    one = Descriptor.of(OCI_MANIFEST, b"{}")
    assert role_of(tag, one, about) == role


@pytest.mark.parametrize(
    ("annotations", "name"),
    [
        ({}, None),
        ({REF_NAME: "v1"}, "place:v1"),
        ({REF_NAME: "app:v1"}, "app:v1"),
        ({REF_NAME: "ghcr.io/acme/app:v1"}, "ghcr.io/acme/app:v1"),
        ({REF_NAME: "v1", CONTAINERD_NAME: "docker.io/a/b:v1"}, "docker.io/a/b:v1"),
    ],
)
def test_an_entry_is_called_by_its_annotations(
    annotations: dict[str, str], name: str | None
) -> None:
    one = Descriptor(OCI_MANIFEST, f"sha256:{HEX}", 1, annotations=annotations)
    found = layouts.name_of(one, "place")
    assert (None if found is None else str(found)) == name


def test_an_entry_of_ours_has_one_name() -> None:
    names = {REF_NAME: "v1", CONTAINERD_NAME: "x", "b": "2", "a": "1"}
    one = Descriptor(OCI_MANIFEST, f"sha256:{HEX}", 1, annotations=names)
    assert layouts.entry(one, "app:v1").annotations == {
        "a": "1",
        "b": "2",
        REF_NAME: "app:v1",
    }
    assert layouts.entry(one, None).annotations == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    "data", [b"{}", b'{"imageLayoutVersion": "2.0.0"}', b"[", b"x" * 9999]
)
def test_a_layout_of_another_version_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        layouts.check_marker(data)


def test_an_index_of_a_layout_is_bounded() -> None:
    with pytest.raises(LimitError):
        layouts.parse_index(b" " * (MAX_OCI_LAYOUT_INDEX + 1))


def test_a_manifest_is_bounded() -> None:
    with pytest.raises(LimitError):
        manifests.parse(b" " * (MAX_OCI_MANIFEST + 1), OCI_MANIFEST)


def test_names_are_made_of_their_parts() -> None:
    one = Reference.parse("ghcr.io/acme/app:v1")
    assert str(one.tagged("v2")) == "ghcr.io/acme/app:v2"
    assert (one.name, one.target) == ("ghcr.io/acme/app", "v1")
    assert Reference.parse(f"a@sha256:{HEX}").target == f"sha256:{HEX}"
    assert str(Reference.parse("index.docker.io/redis").normalised()) == (
        "docker.io/library/redis:latest"
    )


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (check_tag, "v" * 128, "v" * 129),
        (check_repository, "a" * 255, "a" * 256),
        (check_registry, "localhost:5000", "https://ghcr.io"),
    ],
)
def test_parts_are_checked_alone(check: object, good: str, bad: str) -> None:
    assert callable(check)
    assert check(good) == good
    with pytest.raises(FormatError):
        check(bad)
