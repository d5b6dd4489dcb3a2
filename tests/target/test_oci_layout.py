"""Images in a layout that others use too, whole at every moment."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from hashlib import sha512
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from bundle.errors import (
    BundleError,
    FormatError,
    IntegrityError,
    SpaceError,
    TargetError,
)
from bundle.oci import media_types
from bundle.oci.descriptors import REF_NAME
from bundle.oci.digests import BlobDigest
from bundle.target import archive_file
from bundle.target.archive_file import Part
from bundle.target.oci_archive import OciArchiveTarget
from bundle.target.oci_layout import OciLayoutTarget
from bundle.target.options import TargetOptions
from tests.bundles import no_flushing
from tests.images import Layout, blobs_in, dumps, names_in, noise, tar
from tests.target.image_sample import image_samples, of_files
from tests.target.interrupted import Interruption, PowerCut, bury
from tests.target.sample import Sample, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bundle.target.base import Target


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    with no_flushing():
        yield


def one(scratch: Path, name: str = "app:v1", *seeds: int) -> Sample:
    layout = Layout()
    layout.image(name, *(seeds or (1,)))
    (item,) = image_samples(layout, scratch)
    return item


def test_only_what_is_not_there_is_written(tmp_path: Path) -> None:
    target = tmp_path / "images"
    first = one(tmp_path / "a", "app:v1", 1, 2)
    second = one(tmp_path / "b", "app:v2", 1, 3)
    assert unpack(OciLayoutTarget(target), first).written_files == 4
    done = unpack(OciLayoutTarget(target), second)
    assert (done.written_files, done.kept_files) == (3, 1)
    assert names_in(target).keys() == {"app:v1", "app:v2"}


def test_images_of_one_run_share_their_blobs(tmp_path: Path) -> None:
    items = one(tmp_path / "a", "app:v1", 1, 2), one(tmp_path / "b", "app:v2", 1, 3)
    done = unpack(OciLayoutTarget(tmp_path / "images"), *items)
    assert (done.written_files, done.kept_files) == (7, 1)


def test_what_others_put_there_stays(tmp_path: Path) -> None:
    other = Layout()
    other.image("other", 9)
    other.image("app:v1", 8)
    other.list(other.manifest())
    root = other.write(tmp_path / "images")
    index = json.loads((root / "index.json").read_bytes())
    index["manifests"][0]["shine"] = 1
    index["shine"] = True
    (root / "index.json").write_bytes(dumps(index))
    item = one(tmp_path / "a")
    unpack(OciLayoutTarget(root), item)
    found = json.loads((root / "index.json").read_bytes())
    assert found["shine"] is True
    assert len(found["manifests"]) == 3
    assert names_in(root)["app:v1"] == item.artifact.revision
    assert next(each for each in found["manifests"] if "shine" in each)
    assert other.blobs.items() <= blobs_in(root).items()


def test_a_tag_moves_to_the_newer_image(tmp_path: Path) -> None:
    target = tmp_path / "images"
    unpack(OciLayoutTarget(target), one(tmp_path / "a", "app:v1", 1))
    newer = one(tmp_path / "b", "app:v1", 2)
    assert not OciLayoutTarget(target).holds(newer.artifact)
    unpack(OciLayoutTarget(target), newer)
    assert names_in(target) == {"app:v1": newer.artifact.revision}
    assert OciLayoutTarget(target).holds(newer.artifact)


def test_a_blob_that_was_changed_is_written_again(tmp_path: Path) -> None:
    target, item = tmp_path / "images", one(tmp_path / "a")
    unpack(OciLayoutTarget(target), item)
    largest = max(
        (target / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size
    )
    largest.write_bytes(noise(5, largest.stat().st_size))
    assert not OciLayoutTarget(target).holds(item.artifact)
    assert unpack(OciLayoutTarget(target), item).written_files == 1
    blobs_in(target)


def test_what_was_published_is_known_without_its_recipe(tmp_path: Path) -> None:
    target, item = tmp_path / "images", one(tmp_path / "a")
    assert not OciLayoutTarget(target).holds(item.artifact)
    unpack(OciLayoutTarget(target), item)
    assert OciLayoutTarget(target).holds(item.artifact)
    (target / "index.json").write_bytes(Layout().files()["index.json"])
    assert not OciLayoutTarget(target).holds(item.artifact)


def test_a_longer_digest_is_computed_again(tmp_path: Path) -> None:
    def sample_of(data: bytes) -> Sample:
        layout = Layout()
        digest = f"sha512:{sha512(b'right').hexdigest()}"
        layout.blobs[digest] = data
        layer = {"mediaType": media_types.OCI_LAYER, "digest": digest, "size": 5}
        layout.list(layout.manifest(layer), "app:v1")
        return image_samples(layout, tmp_path / "a")[0]

    with pytest.raises(IntegrityError, match="its content is another"):
        unpack(OciLayoutTarget(tmp_path / "images"), sample_of(b"wrong"))
    assert not (tmp_path / "images/index.json").exists()
    unpack(OciLayoutTarget(tmp_path / "images"), sample_of(b"right"))
    done = unpack(OciLayoutTarget(tmp_path / "images"), sample_of(b"right"))
    assert done.written_files == 0


TARGETS: dict[str, Callable[[Path], Target]] = {
    "layout": lambda path: OciLayoutTarget(path / "images"),
    "archive": lambda path: OciArchiveTarget(
        path / "a.tar", TargetOptions(staging=path / "work")
    ),
}
each_target = pytest.mark.parametrize("make", TARGETS.values(), ids=TARGETS.keys())


def changed(item: Sample, files: dict[str, bytes | None], **more: Any) -> Sample:  # noqa: ANN401 - fields of Artifact
    """Return an image with other files; None takes one away."""
    content = {**item.content, **files}
    kept = {path: data for path, data in content.items() if data is not None}
    more.setdefault("revision", item.artifact.revision)
    return of_files("oci-image", item.artifact.name, kept, **more)


def largest(item: Sample) -> str:
    return max(item.content, key=lambda path: len(item.content[path]))


def index_of(item: Sample) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(item.content["index.json"])
    return document


def named_otherwise(item: Sample) -> Sample:
    index = index_of(item)
    index["manifests"][0]["annotations"][REF_NAME] = "other:v1"
    return changed(item, {"index.json": dumps(index)})


def another_name_beside(item: Sample) -> Sample:
    index = index_of(item)
    index["manifests"].append(
        {**index["manifests"][0], "annotations": {REF_NAME: "other:v1"}}
    )
    return changed(item, {"index.json": dumps(index)})


def another_size(item: Sample) -> Sample:
    index = index_of(item)
    index["manifests"][0]["size"] += 1
    return changed(item, {"index.json": dumps(index)})


ODD: dict[str, tuple[Callable[[Sample], Sample], str]] = {
    "a layer that is not in it": (
        lambda item: changed(item, {largest(item): None}),
        "90.6.6",
    ),
    "a manifest that is not in it": (
        lambda item: changed(
            item, {f"blobs/{item.artifact.revision.replace(':', '/')}": None}
        ),
        "90.6.6",
    ),
    "a blob of another digest": (
        lambda item: changed(item, {largest(item): b"x"}),
        "90.6.4",
    ),
    "another file": (lambda item: changed(item, {"etc/passwd": b"x"}), "90.6.3"),
    "a blob at the top": (lambda item: changed(item, {"blobs/x": b"x"}), "90.6.3"),
    "no index": (lambda item: changed(item, {"index.json": None}), "90.6.3"),
    "an index that is none": (
        lambda item: changed(item, {"index.json": b"{}"}),
        "90.3.2",
    ),
    "a marker of version 2": (
        lambda item: changed(item, {"oci-layout": b'{"imageLayoutVersion":"2"}'}),
        "90.6.1",
    ),
    "another name": (named_otherwise, "90.6.5"),
    "another name beside it": (another_name_beside, "90.6.5"),
    "another size": (another_size, "90.2.3"),
    "another revision": (
        lambda item: changed(item, {}, revision="sha256:" + "0" * 64),
        "90.6.5",
    ),
}


@each_target
@pytest.mark.parametrize(("spoil", "rule"), ODD.values(), ids=ODD.keys())
def test_an_image_that_is_not_whole_is_never_listed(
    tmp_path: Path,
    make: Callable[[Path], Target],
    spoil: Callable[[Sample], Sample],
    rule: str,
) -> None:
    item = spoil(one(tmp_path / "source"))
    target = make(tmp_path)
    with pytest.raises((FormatError, IntegrityError)) as caught:
        unpack(target, item)
    assert getattr(caught.value, "rule", None) == rule
    asyncio.run(target.abandon())
    assert not (tmp_path / "images/index.json").exists()
    assert not (tmp_path / "a.tar").exists()


def test_an_index_may_lack_platforms_that_were_left_out(tmp_path: Path) -> None:
    layout = Layout()
    children = [layout.manifest(layout.layer({"a": noise(seed)})) for seed in (1, 2)]
    layout.list(layout.index(*children), "app:v1")
    (item,) = image_samples(layout, tmp_path / "a")
    path = f"blobs/{children[0]['digest'].replace(':', '/')}"
    unpack(OciLayoutTarget(tmp_path / "images"), changed(item, {path: None}))
    assert children[0]["digest"] not in blobs_in(tmp_path / "images")


def not_an_index(root: Path) -> None:
    (root / "images").mkdir()
    (root / "images/index.json").write_bytes(b"<html>")
    (root / "a.tar").write_bytes(tar({"index.json": b"<html>"}))


def something_else(root: Path) -> None:
    (root / "images").mkdir()
    (root / "images/index.json").mkdir()
    (root / "a.tar").write_bytes(b"hello" * 999)


@each_target
@pytest.mark.parametrize("make_other", [not_an_index, something_else])
def test_what_is_no_layout_is_left_alone(
    tmp_path: Path,
    make: Callable[[Path], Target],
    make_other: Callable[[Path], None],
) -> None:
    item = one(tmp_path / "source")
    make_other(tmp_path)
    before = (tmp_path / "a.tar").read_bytes()
    with pytest.raises(TargetError):
        unpack(make(tmp_path), item)
    assert (tmp_path / "a.tar").read_bytes() == before


def is_whole(root: Path) -> bool:
    """Return whether every name of a layout leads to whole blobs."""
    blobs = blobs_in(root)
    for digest in names_in(root).values():
        manifest = json.loads(blobs[digest])
        for each in (manifest["config"], *manifest["layers"]):
            assert each["digest"] in blobs
    return True


def test_a_run_that_is_cut_off_leaves_a_whole_layout(tmp_path: Path) -> None:
    old = one(tmp_path / "a", "app:v1", 1)
    new = one(tmp_path / "b", "app:v1", 1, 2)
    count = Interruption()
    unpack(OciLayoutTarget(tmp_path / "count"), old)
    with count.armed():
        unpack(OciLayoutTarget(tmp_path / "count"), new)
    for at in range(1, count.calls + 1):
        root = tmp_path / str(at)
        unpack(OciLayoutTarget(root), old)
        target = OciLayoutTarget(root)
        with Interruption(at).armed(), pytest.raises(PowerCut):
            unpack(target, new)
        bury(target)
        assert is_whole(root)
        assert names_in(root)["app:v1"] in (
            old.artifact.revision,
            new.artifact.revision,
        )
        unpack(OciLayoutTarget(root), new)
        assert names_in(root) == {"app:v1": new.artifact.revision}
        assert is_whole(root)
        assert not list((root / ".bundle").glob("run-*"))


def test_names_come_after_what_they_lead_to(tmp_path: Path) -> None:
    watch = Interruption()
    with watch.armed():
        unpack(OciLayoutTarget(tmp_path / "images"), one(tmp_path / "a"))
    events = [
        (call, name.removeprefix(f"{tmp_path}/images/")) for call, name in watch.events
    ]
    flushed = events.index(("fsync", "blobs/sha256"))
    listed = events.index(("rename", "index.json"))
    moved = [
        number
        for number, (call, name) in enumerate(events)
        if call == "rename" and name.startswith("blobs/sha256/")
    ]
    assert max(moved) < flushed < listed


def test_an_archive_that_could_not_be_written_is_as_it_was(tmp_path: Path) -> None:
    old, new = one(tmp_path / "a", "app:v1", 1), one(tmp_path / "b", "app:v1", 2)
    make = TARGETS["archive"]
    unpack(make(tmp_path), old)
    before = (tmp_path / "a.tar").read_bytes()
    target = make(tmp_path)
    spoilt = replace(
        new,
        content={**new.content, largest(new): noise(4, len(new.content[largest(new)]))},
    )
    with pytest.raises(BundleError):
        unpack(target, spoilt)
    asyncio.run(target.abandon())
    assert (tmp_path / "a.tar").read_bytes() == before
    assert not (tmp_path / ".a.tar.part").exists()


def test_an_archive_needs_its_directory(tmp_path: Path) -> None:
    target = OciArchiveTarget(
        tmp_path / "no/a.tar", TargetOptions(staging=tmp_path / "work")
    )
    with pytest.raises(TargetError, match="does not exist"):
        unpack(target, one(tmp_path / "a"))


def test_an_archive_is_known_while_nobody_touches_it(tmp_path: Path) -> None:
    make, item = TARGETS["archive"], one(tmp_path / "a")
    assert not make(tmp_path).holds(item.artifact)
    unpack(make(tmp_path), item)
    assert make(tmp_path).holds(item.artifact)
    data = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").unlink()
    (tmp_path / "a.tar").write_bytes(data)
    assert not make(tmp_path).holds(item.artifact)
    assert unpack(make(tmp_path), item).written_files == 0


def test_members_of_an_archive_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, item = TARGETS["archive"], one(tmp_path / "a")
    unpack(make(tmp_path), item)
    monkeypatch.setattr(archive_file, "MAX_OCI_MEMBERS", len(item.content))
    unpack(make(tmp_path), item)
    monkeypatch.setattr(archive_file, "MAX_OCI_MEMBERS", len(item.content) - 1)
    with pytest.raises(TargetError, match="members"):
        unpack(make(tmp_path), item)


def test_an_archive_that_would_not_fit_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = one(tmp_path / "a")
    room = SimpleNamespace(f_bavail=1, f_frsize=512, f_bsize=512)
    monkeypatch.setattr("os.statvfs", lambda _: room)
    with pytest.raises(SpaceError, match="are needed beside it and 512 are free"):
        archive_file.write_archive(
            tmp_path / "b.tar",
            b"{}",
            {BlobDigest.parse(item.artifact.revision): Part(tmp_path, 0, 513)},
        )
    assert not (tmp_path / "b.tar").exists()
