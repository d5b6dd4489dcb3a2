"""Images pulled from a registry, with what is about them; and registries that lie."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from bundle.errors import SourceError, StoreError, UsageError
from bundle.limits import MAX_OCI_MANIFEST
from bundle.oci.descriptors import Descriptor
from bundle.oci.media_types import OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from bundle.oci.platforms import Platform
from bundle.source.filter import ListOptions
from bundle.source.locate import parse_source
from bundle.source.oci_layout import OciLayoutSource
from bundle.source.options import SourceOptions
from tests.layouts import ARM64, Layout, noise, plain
from tests.registry.fake import Fake, faking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundle.source.base import SourceArtifact
    from tests.registry.fake import Answer

NAME = "team/app"


@pytest.fixture
def fake() -> Iterator[Fake]:
    with faking() as running:
        yield running


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def offer(fake: Fake, layout: Layout, *tagged: tuple[str, Descriptor]) -> None:
    """Put every blob of a layout into the registry, and these tags."""
    for path in (layout.root / "blobs" / "sha256").iterdir():
        data = path.read_bytes()
        fake.add(NAME, data)
        kind = kind_of(data)
        if kind:
            fake.put(NAME, f"sha256:{path.name}", kind, data)
            del fake.blobs[NAME, f"sha256:{path.name}"]
    for tag, one in tagged:
        kind, data = fake.manifests[NAME, one.digest]
        fake.put(NAME, tag, kind, data)


def kind_of(data: bytes) -> str:
    try:
        document = json.loads(data)
    except ValueError:
        return ""
    return str(document.get("mediaType", "")) if isinstance(document, dict) else ""


def pull(fake: Fake, home: Path, rest: str = ":v1", **changes: Any) -> SourceArtifact:  # noqa: ANN401 - fields of SourceOptions
    options = SourceOptions(registry=fake.options(home), **changes)
    source = parse_source(f"docker://{fake.host}/{NAME}{rest}", options)
    (artifact,) = asyncio.run(source.artifacts())
    return artifact


def paths(artifact: SourceArtifact) -> set[str]:
    return {file.path for file in artifact.files}


def test_an_image_is_listed_as_its_layout_would_be(
    fake: Fake, layout: Layout, tmp_path: Path
) -> None:
    one = layout.image(layout.layer({"a": noise(9000)}))
    two = layout.image(layout.layer({"b": b"b"}), platform=ARM64)
    index = layout.index(one, two)
    signature = layout.artifact("application/vnd.example.signature", b"s", index)
    offer(fake, layout, ("v1", index))
    fake.has_referrers = True
    found = pull(fake, tmp_path)
    layout.add(index, f"{fake.host}/{NAME}:v1")
    layout.add(signature)
    (same,) = asyncio.run(OciLayoutSource(layout.write()).artifacts())
    assert (found.kind, found.name, found.revision) == (
        "oci-image",
        f"{fake.host}/{NAME}:v1",
        index.digest,
    )
    assert paths(found) == paths(same)
    assert [one.sha256 for one in found.files] == [one.sha256 for one in same.files]
    assert found.notes == same.notes


@pytest.mark.parametrize("by", ["referrers", "fallback tag", "cosign's tag"])
def test_what_is_about_an_image_comes_along(
    fake: Fake, layout: Layout, tmp_path: Path, by: str
) -> None:
    image = layout.image(layout.layer({"a": b"a"}))
    about = image if by != "cosign's tag" else None
    signature = layout.artifact("application/vnd.example.signature", b"s", about)
    offer(fake, layout, ("v1", image))
    if by == "referrers":
        fake.has_referrers = True
    elif by == "fallback tag":
        listed = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [signature]}
        data = json.dumps(listed, default=plain).encode()
        fake.put(NAME, f"sha256-{image.blob.hex}", OCI_INDEX, data)
    else:
        kind, data = fake.manifests[NAME, signature.digest]
        fake.put(NAME, f"sha256-{image.blob.hex}.sig", kind, data)
    found = pull(fake, tmp_path)
    assert signature.blob.path in paths(found)
    index = next(one for one in found.files if one.path == "index.json")
    assert isinstance(index.content, bytes)
    entries = json.loads(index.content)["manifests"]
    assert [one["digest"] for one in entries] == [image.digest, signature.digest]
    names = [one.get("annotations", {}) for one in entries]
    tag = f"sha256-{image.blob.hex}.sig" if by == "cosign's tag" else None
    assert names[1].get("org.opencontainers.image.ref.name") == tag


def test_what_is_about_something_else_does_not_come_along(
    fake: Fake, layout: Layout, tmp_path: Path
) -> None:
    image = layout.image(layout.layer({"a": b"a"}))
    other = layout.image(layout.layer({"b": b"b"}))
    stranger = layout.artifact("application/x", b"s", other)
    offer(fake, layout, ("v1", image))
    listed = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [stranger]}
    data = json.dumps(listed, default=plain).encode()
    fake.put(NAME, f"sha256-{image.blob.hex}", OCI_INDEX, data)
    assert stranger.blob.path not in paths(pull(fake, tmp_path))


def test_a_platform_takes_its_image_and_the_whole_index(
    fake: Fake, layout: Layout, tmp_path: Path
) -> None:
    one = layout.image(layout.layer({"a": b"a"}))
    two = layout.image(layout.layer({"b": b"b"}), platform=ARM64)
    index = layout.index(one, two)
    offer(fake, layout, ("v1", index))
    found = pull(fake, tmp_path, platforms=(Platform("linux", "amd64"),))
    assert one.blob.path in paths(found)
    assert two.blob.path not in paths(found)
    assert any("sparse" in line for line in found.warnings)
    assert not [one for one in fake.asked if two.digest in one.path]


def test_what_was_pulled_is_not_pulled_again(
    fake: Fake, layout: Layout, tmp_path: Path
) -> None:
    image = layout.image(layout.layer({"a": noise(9000)}))
    offer(fake, layout, ("v1", image))
    first = pull(fake, tmp_path)
    fake.asked.clear()
    assert pull(fake, tmp_path) == first
    assert fake.count("GET", "/blobs/") == 0


def test_an_image_by_digest_is_called_by_it(
    fake: Fake, layout: Layout, tmp_path: Path
) -> None:
    image = layout.image(layout.layer({"a": b"a"}))
    offer(fake, layout)
    found = pull(fake, tmp_path, f"@{image.digest}")
    assert found.name == f"{fake.host}/{NAME}@{image.digest}"


def test_a_chart_of_helm_is_one(fake: Fake, layout: Layout, tmp_path: Path) -> None:
    offer(fake, layout, ("1.2.3_build", layout.chart("app", "1.2.3+build")))
    options = SourceOptions(registry=fake.options(tmp_path))
    source = parse_source(f"oci://{fake.host}/{NAME}:1.2.3+build", options)
    (found,) = asyncio.run(source.artifacts())
    assert found.kind == "helm-chart"
    assert found.name == f"{fake.host}/{NAME}:1.2.3_build"


def test_plain_http_is_never_silent(fake: Fake, layout: Layout, tmp_path: Path) -> None:
    offer(fake, layout, ("v1", layout.image(layout.layer({"a": b"a"}))))
    assert any("without TLS" in line for line in pull(fake, tmp_path).warnings)


def test_a_foreign_layer_is_never_fetched_from_where_it_points_to(
    fake: Fake, layout: Layout, tmp_path: Path
) -> None:
    foreign = Descriptor(
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        f"sha256:{'1' * 64}",
        10,
        urls=(f"{fake.url}/bait",),
    )
    offer(fake, layout, ("v1", layout.image(layout.layer({"a": b"a"}), foreign)))
    found = pull(fake, tmp_path)
    assert any("foreign layer" in line for line in found.warnings)
    assert not [one for one in fake.asked if "bait" in one.path]


def test_blobs_of_unknown_types_are_carried(
    fake: Fake, layout: Layout, tmp_path: Path
) -> None:
    odd = layout.blob("application/vnd.never.seen", b"?")
    offer(fake, layout, ("v1", layout.image(odd)))
    assert odd.blob.path in paths(pull(fake, tmp_path))


def raw(fake: Fake, text: str, kind: str = OCI_MANIFEST) -> None:
    fake.put(NAME, "v1", kind, text.encode())


SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        pytest.param("{", OCI_MANIFEST, "not JSON", id="no JSON"),
        pytest.param(
            '{"schemaVersion":2,"schemaVersion":2}',
            OCI_MANIFEST,
            "is there twice",
            id="a member twice",
        ),
        pytest.param(
            '{"schemaVersion":1}', SCHEMA_1, "a manifest of schema 1", id="schema 1"
        ),
        pytest.param(
            '{"schemaVersion":2,"manifests":[],"layers":[]}',
            OCI_INDEX,
            "both an index and a manifest",
            id="two meanings",
        ),
        pytest.param(
            '{"schemaVersion":2,"config":{"mediaType":"a/b","size":1,'
            '"digest":"sha256:../../x"},"layers":[]}',
            OCI_MANIFEST,
            "not a digest",
            id="a digest that is a path",
        ),
        pytest.param(
            " " * MAX_OCI_MANIFEST + "{}", OCI_MANIFEST, "over 4194304", id="over 4 MiB"
        ),
    ],
)
def test_a_manifest_that_is_none_is_refused(
    fake: Fake, tmp_path: Path, text: str, kind: str, expected: str
) -> None:
    raw(fake, text, kind)
    with pytest.raises((SourceError, StoreError), match=expected) as caught:
        pull(fake, tmp_path)
    assert f"{fake.host}/{NAME}" in str(caught.value)


def test_an_index_in_itself_cannot_be_made_and_is_bounded_when_nested(
    fake: Fake, layout: Layout, tmp_path: Path
) -> None:
    inner = layout.index()
    for _ in range(9):
        inner = layout.index(inner)
    offer(fake, layout, ("v1", inner))
    with pytest.raises(SourceError, match="nested over 8 levels"):
        pull(fake, tmp_path)


def test_a_digest_that_the_registry_makes_up_is_refused(
    fake: Fake, layout: Layout, tmp_path: Path
) -> None:
    image = layout.image(layout.layer({"a": b"a"}))
    other = layout.image(layout.layer({"b": b"b"}))
    offer(fake, layout, ("v1", image))
    fake.manifests[NAME, image.digest] = fake.manifests[NAME, other.digest]
    with pytest.raises(SourceError, match="another manifest than it says"):
        pull(fake, tmp_path, f"@{image.digest}")


def test_blobs_that_the_registry_has_lost_are_all_listed(
    fake: Fake, layout: Layout, tmp_path: Path
) -> None:
    first, second = layout.layer({"a": b"a"}), layout.layer({"b": b"b"})
    offer(fake, layout, ("v1", layout.image(first, second)))
    del fake.blobs[NAME, first.digest], fake.blobs[NAME, second.digest]
    with pytest.raises(SourceError, match="2 of its blobs are missing") as caught:
        pull(fake, tmp_path)
    assert {line.split()[0] for line in caught.value.left} == {
        first.digest,
        second.digest,
    }


def test_a_size_that_the_manifest_makes_up_is_refused(
    fake: Fake, layout: Layout, tmp_path: Path
) -> None:
    layer = layout.layer({"a": b"a"})
    lying = Descriptor(OCI_LAYER, layer.digest, layer.size + 1)
    offer(fake, layout, ("v1", layout.image(lying)))
    with pytest.raises(SourceError, match="bytes at the registry"):
        pull(fake, tmp_path)


def test_a_web_page_in_place_of_a_registry_is_said(fake: Fake, tmp_path: Path) -> None:
    async def page(_: web.Request) -> Answer:
        return web.Response(text="<html>", content_type="text/html")

    fake.hook = page
    with pytest.raises(StoreError, match="answers with a web page"):
        pull(fake, tmp_path)


def test_an_image_that_is_not_there_is_said(fake: Fake, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="404, MANIFEST_UNKNOWN"):
        pull(fake, tmp_path)


def test_a_problem_is_noted_where_the_rest_is_to_go_on(
    fake: Fake, tmp_path: Path
) -> None:
    found = pull(fake, tmp_path, listing=ListOptions(keep_going=True))
    assert not found.files
    assert "404, MANIFEST_UNKNOWN" in found.problems[0]


def test_what_is_not_wanted_is_not_asked_for(fake: Fake, tmp_path: Path) -> None:
    options = SourceOptions(
        listing=ListOptions(exclude=("*/app:*",)), registry=fake.options(tmp_path)
    )
    source = parse_source(f"docker://{fake.host}/{NAME}:v1", options)
    assert asyncio.run(source.artifacts()) == []
    assert not fake.asked


@pytest.mark.parametrize(
    "text",
    [
        "docker://",
        "docker://registry.example.com/Upper",
        f"docker://registry.example.com/app:{'t' * 129}",
        "docker://registry.example.com/app@sha256:../../x",
        "oci://registry.example.com/chart",
        "oci://chart:1.0",
    ],
)
def test_a_text_that_names_no_image_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_source(text)


def test_what_is_current_is_known_by_its_manifest_alone(
    fake: Fake, layout: Layout, tmp_path: Path
) -> None:
    one = layout.image(layout.layer({"a": noise(9000)}))
    offer(fake, layout, ("v1", one))
    fake.blobs.clear()
    options = SourceOptions(registry=fake.options(tmp_path))
    source = parse_source(f"docker://{fake.host}/{NAME}:v1", options)
    (found,) = asyncio.run(source.resolve())
    assert (found.kind, found.revision) == ("oci-image", one.digest)
    assert found.name == f"{fake.host}/{NAME}:v1"
    absent = parse_source(f"docker://{fake.host}/{NAME}:v9", options)
    with pytest.raises(SourceError):
        asyncio.run(absent.resolve())
