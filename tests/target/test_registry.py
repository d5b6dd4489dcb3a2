"""Images pushed into a registry that does what it should, and into some that do not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from bundle.errors import StoreError, TargetError, UsageError
from bundle.oci.descriptors import Descriptor
from bundle.oci.mapping import NameMap
from bundle.oci.platforms import Platform
from bundle.packing.holdings import FarSide
from bundle.source.oci_layout import OciLayoutSource
from bundle.source.options import SourceOptions
from bundle.target.locate import parse_target
from bundle.target.options import OnExisting, TargetOptions
from tests.bundles import Site
from tests.layouts import ARM64, Layout, noise
from tests.registry.fake import Fake, faking, problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundle.target.base import Target
    from bundle.unpacker import UnpackReport
    from tests.registry.fake import Answer

APP = "ghcr.io/superlinked/app"


@pytest.fixture
def fake() -> Iterator[Fake]:
    with faking() as running:
        yield running


class Case:
    """A layout, a site, and a registry to push to."""

    def __init__(self, path: Path, fake: Fake) -> None:
        self.path, self.fake = path, fake
        self.layout = Layout(path / "layout")
        self.site = Site(path / "site")

    def image(self, seed: str, name: str | None = None, **more: Any) -> Descriptor:  # noqa: ANN401 - any JSON
        """Add an image on the base that all share; list it if it has a name."""
        base = self.layout.layer({"base": noise(20_000, "base")})
        own = self.layout.layer({"own": noise(5_000, seed)})
        made = self.layout.image(base, own, **more)
        return made if name is None else self.layout.add(made, name)

    def target(self, place: str = "", **changes: Any) -> Target:  # noqa: ANN401 - fields of TargetOptions
        options = TargetOptions(
            staging=self.path / "staging",
            registry=self.fake.options(self.path),
            **changes,
        )
        return parse_target(f"docker://{self.fake.host}{place}", options)

    def bundle(self, *platforms: Platform, **changes: Any) -> Path:  # noqa: ANN401 - fields of PackRequest
        options = SourceOptions(platforms=platforms)
        source = OciLayoutSource(self.layout.write(), options=options)
        return self.site.bundle(source, **changes)

    def push(
        self,
        bundle: Path | None = None,
        place: str = "",
        **changes: Any,  # noqa: ANN401 - fields of TargetOptions
    ) -> UnpackReport:
        """Unpack a bundle into the registry."""
        target = self.target(place, **changes)
        return self.site.unpack(bundle or self.bundle(), target)

    def tag(self, name: str, tag: str) -> str | None:
        """Return the digest that a tag has at the registry."""
        found = self.fake.manifests.get((name, tag))
        return None if found is None else Descriptor.of("a/b", found[1]).digest


@pytest.fixture
def case(tmp_path: Path, fake: Fake) -> Case:
    return Case(tmp_path, fake)


def test_an_image_keeps_its_repository_its_tag_and_its_digest(case: Case) -> None:
    image = case.image("one", f"{APP}:v1")
    report = case.push()
    assert case.tag("superlinked/app", "v1") == image.digest
    assert report.placed[0].written_files > 0
    assert not report.failed


def test_rules_and_the_prefix_say_where_it_goes(case: Case) -> None:
    image = case.image("one", f"{APP}:v1")
    names = NameMap.parse(["ghcr.io/superlinked=sie"])
    case.push(place="/mirror", names=names)
    assert case.tag("mirror/sie/app", "v1") == image.digest


def test_an_image_by_digest_gets_no_tag(case: Case) -> None:
    image = case.image("one")
    case.layout.add(image, f"{APP}@{image.digest}")
    case.push()
    assert ("superlinked/app", image.digest) in case.fake.manifests
    assert all(":" in tag for _, tag in case.fake.manifests)


def test_what_is_pushed_again_sends_not_one_byte(case: Case) -> None:
    case.image("one", f"{APP}:v1")
    bundle = case.bundle()
    case.push(bundle)
    case.fake.asked.clear()
    report = case.push(bundle)
    assert case.fake.sent == 0
    assert {one.method for one in case.fake.asked} <= {"HEAD", "GET"}
    assert report.placed[0].written_files == 0


def test_another_machine_that_pushes_it_again_sends_not_one_byte(
    case: Case, tmp_path: Path
) -> None:
    case.image("one", f"{APP}:v1")
    bundle = case.bundle()
    case.push(bundle)
    case.fake.asked.clear()
    options = TargetOptions(
        staging=tmp_path / "elsewhere", registry=case.fake.options(tmp_path)
    )
    target = parse_target(f"docker://{case.fake.host}", options)
    report = case.site.unpack(bundle, target)
    assert case.fake.sent == 0
    assert case.fake.count("PUT") == case.fake.count("POST") == 0
    assert report.placed[0].written_files == 0


def test_blobs_of_another_repository_are_mounted(case: Case) -> None:
    case.image("one", f"{APP}:v1")
    case.push(case.bundle())
    case.image("two", "ghcr.io/other/app:v1")
    case.fake.asked.clear()
    case.push(case.bundle())
    mounts = [one for one in case.fake.asked if "mount=" in one.query]
    assert len(mounts) == 1
    base = case.layout.layer({"base": noise(20_000, "base")})
    assert 0 < case.fake.sent < base.size


def test_leaves_come_before_what_needs_them_and_the_tag_comes_last(
    case: Case,
) -> None:
    one, two = case.image("one"), case.image("two", platform=ARM64)
    index = case.layout.add(case.layout.index(one, two), f"{APP}:v1")
    case.push()
    order = [
        (request.method, request.path.rpartition("/")[2].partition("?")[0])
        for request in case.fake.asked
        if request.method == "PUT"
    ]
    manifests = [name for _, name in order if not name.startswith("u")]
    assert manifests == [one.digest, two.digest, index.digest, "v1"]
    last_blob = max(n for n, (_, name) in enumerate(order) if name.startswith("u"))
    assert last_blob < order.index(("PUT", one.digest))


@pytest.mark.parametrize("has_referrers", [True, False])
def test_a_signature_arrives_with_its_image(case: Case, has_referrers: bool) -> None:  # noqa: FBT001 - a case
    case.fake.has_referrers = has_referrers
    image = case.image("one", f"{APP}:v1")
    kind = "application/vnd.example.signature"
    signature = case.layout.add(case.layout.artifact(kind, b"signed", image))
    cosign = case.layout.artifact("application/x-cosign", b"signed too")
    case.layout.add(cosign, f"sha256-{image.blob.hex}.sig")
    case.push()
    name = "superlinked/app"
    assert (name, signature.digest) in case.fake.manifests
    assert case.tag(name, f"sha256-{image.blob.hex}.sig") == cosign.digest
    fallback = case.fake.manifests.get((name, f"sha256-{image.blob.hex}"))
    if has_referrers:
        assert fallback is None
    else:
        assert fallback is not None
        (listed,) = json.loads(fallback[1])["manifests"]
        assert listed["digest"] == signature.digest
        assert listed["artifactType"] == kind


def test_referrers_that_are_listed_already_stay_listed(case: Case) -> None:
    image = case.image("one", f"{APP}:v1")
    bundle = case.bundle()
    case.push(bundle)
    tag = f"sha256-{image.blob.hex}"
    digest = f"sha256:{'0' * 64}"
    other = {"mediaType": "a/b", "digest": digest, "size": 1}
    kind = "application/vnd.oci.image.index.v1+json"
    index = {"schemaVersion": 2, "mediaType": kind, "manifests": [other]}
    case.fake.put("superlinked/app", tag, kind, json.dumps(index).encode())
    case.fake.manifests["superlinked/app", digest] = ("a/b", b"{}")
    case.layout.add(case.layout.artifact("application/x", b"signed", image))
    case.push()
    found = json.loads(case.fake.manifests["superlinked/app", tag][1])["manifests"]
    assert len(found) == 2
    assert found[0] == other


@pytest.mark.parametrize("policy", list(OnExisting))
def test_a_tag_that_names_something_else(case: Case, policy: OnExisting) -> None:
    old = case.image("old", f"{APP}:v1")
    case.push()
    case.layout = Layout(case.path / "second")
    new = case.image("new", f"{APP}:v1")
    report = case.push(existing=policy)
    expected = new.digest if policy is OnExisting.OVERWRITE else old.digest
    assert case.tag("superlinked/app", "v1") == expected
    assert bool(report.failed) == (policy is OnExisting.FAIL)
    if policy is OnExisting.FAIL:
        assert "--on-existing-tag=overwrite" in report.failed[0]
    if policy is OnExisting.SKIP:
        assert report.placed[0].left_out == ("v1: is there, and names something else",)


def refusing(part: str, status: int = 403, method: str = "") -> Any:  # noqa: ANN401 - a hook
    async def hook(request: web.Request) -> Answer:
        if part in request.path and (not method or request.method == method):
            return problem(status, "DENIED")
        return None

    return hook


def test_one_image_that_is_refused_does_not_keep_the_others_out(case: Case) -> None:
    good = case.image("good", "ghcr.io/one/good:v1")
    bad = case.image("bad", "ghcr.io/two/bad:v1")
    case.fake.hook = refusing("/two/bad/blobs/uploads")
    bundle = case.bundle()
    report = case.push(bundle)
    assert case.tag("one/good", "v1") == good.digest
    assert case.tag("two/bad", "v1") is None
    assert [one.name for one in report.placed] == ["ghcr.io/one/good:v1"]
    (line,) = report.failed
    assert line.startswith(f"oci-image docker://{case.fake.host}: ghcr.io/two/bad:v1: ")
    assert "403, DENIED" in line
    case.fake.hook = None
    case.fake.asked.clear()
    again = case.push(bundle)
    assert not again.failed
    assert case.tag("two/bad", "v1") == bad.digest
    assert not [one for one in case.fake.asked if "/one/good/blobs/up" in one.path]


def test_a_registry_that_is_gone_ends_the_run(case: Case) -> None:
    case.image("one", "ghcr.io/one/good:v1")
    case.image("two", "ghcr.io/two/bad:v1")
    bundle = case.bundle()
    case.fake.hook = refusing("/", 503)
    with pytest.raises(StoreError, match="answers 503"):
        case.push(bundle)


@pytest.mark.parametrize("status", [403, 400, 500])
@pytest.mark.parametrize("part", ["/blobs/uploads/", "/manifests/sha256:"])
def test_a_push_that_fails_leaves_no_tag(case: Case, part: str, status: int) -> None:
    case.image("one", f"{APP}:v1")
    case.fake.hook = refusing(f"app{part}", status, "PUT")
    report = case.push()
    assert len(report.failed) == 1
    assert case.tag("superlinked/app", "v1") is None


def test_a_tag_that_the_registry_keeps_for_something_else_is_said(case: Case) -> None:
    case.image("one", f"{APP}:v1")

    async def forgets(request: web.Request) -> Answer:
        if request.method == "PUT" and request.path.endswith("/manifests/v1"):
            other = b'{"schemaVersion":2,"config":{},"layers":[]}'
            case.fake.put("superlinked/app", "v1", "a/b", other)
            return web.Response(status=201)
        return None

    case.fake.hook = forgets
    assert len(case.push().failed) == 1


def test_an_index_without_some_platforms_leaves_its_one_image_under_the_tag(
    case: Case,
) -> None:
    one, two = case.image("one"), case.image("two", platform=ARM64)
    index = case.layout.add(case.layout.index(one, two), f"{APP}:v1")
    report = case.push(case.bundle(Platform("linux", "amd64")))
    assert case.tag("superlinked/app", "v1") == one.digest
    (line,) = report.placed[0].left_out
    assert index.digest in line
    assert "refuses an index that lists what is not there" in line


def test_two_names_that_become_one_are_refused_before_anything_is_sent(
    case: Case,
) -> None:
    case.image("one", "ghcr.io/team/app:v1")
    case.image("two", "quay.io/team/app:v1")
    with pytest.raises(TargetError, match="would both be team/app:v1") as caught:
        case.push()
    assert "--map" in caught.value.advice
    assert case.fake.sent == 0


def test_a_delta_takes_what_it_builds_on_from_the_registry(case: Case) -> None:
    case.image("one", f"{APP}:v1")
    first = case.bundle()
    case.push(first)
    case.image("two", f"{APP}:v2")
    second = case.bundle(far=FarSide(base=first))
    report = case.push(second)
    assert not report.failed
    assert case.tag("superlinked/app", "v2") is not None
    carried = sum(path.stat().st_size for path in second.glob("*.bdv"))
    assert carried < 12_000


def test_chunks_are_read_back_from_the_registry_and_hashed(case: Case) -> None:
    """Another registry gets a delta whose base only the first registry has."""
    case.image("one", f"{APP}:v1")
    first = case.bundle()
    case.push(first)
    case.layout = Layout(case.path / "second")
    case.image("one", "ghcr.io/elsewhere/app:v1")
    second = case.bundle(far=FarSide(base=first))
    report = case.push(second)
    assert not report.failed
    assert case.tag("elsewhere/app", "v1") is not None
    assert report.reused_bytes > 20_000


@pytest.mark.parametrize(
    "text", ["docker://", "docker:/x", "docker://UPPER/Case", "docker:x"]
)
def test_a_text_that_names_no_registry_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_target(text)


def test_what_is_no_image_is_left_to_other_targets(case: Case) -> None:
    report = case.site.unpack(case.site.packed(), case.target(""))
    assert len(report.left) == 1
    assert not case.fake.asked
