"""Images in tars: layouts, and what docker save writes."""

from __future__ import annotations

import asyncio
import io
import json
import os
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from bundle.errors import SourceError
from bundle.packing.intake import Opened
from bundle.source import tar_files
from bundle.source.base import Extent
from bundle.source.locate import parse_source
from tests.bundles import Site, no_flushing
from tests.images import Layout, digest, dumps, noise, squeezed, tar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bundle.source.base import SourceArtifact


def listed(text: str) -> list[SourceArtifact]:
    return asyncio.run(parse_source(text).artifacts())


def image() -> Layout:
    layout = Layout()
    layout.image("ghcr.io/acme/app:v1", 1)
    layout.image("v2", 2)
    return layout


def test_blobs_of_an_archive_are_parts_of_it(tmp_path: Path) -> None:
    layout = image()
    path = layout.archive(tmp_path / "app.oci.tar")
    first, second = listed(f"oci-archive:{path}")
    assert (first.name, second.name) == ("app:v2", "ghcr.io/acme/app:v1")
    for file in second.files:
        if file.path.startswith("blobs/"):
            assert isinstance(file.content, Extent)
            opened = Opened(file)
            data = opened.read(0, file.size)
            opened.check_unchanged()
            opened.close()
            assert digest(data) == f"sha256:{file.path.rpartition('/')[2]}"


def test_one_image_of_an_archive_is_selected(tmp_path: Path) -> None:
    path = image().archive(tmp_path / "app.tar")
    (one,) = listed(f"oci-archive:{path}:v2")
    assert one.name == "app:v2"


def test_names_may_begin_with_a_dot(tmp_path: Path) -> None:
    files = {f"./{name}": data for name, data in image().files().items()}
    (tmp_path / "app.tar").write_bytes(tar(files))
    assert len(listed(f"oci-archive:{tmp_path / 'app.tar'}")) == 2


def saved(
    layers: Mapping[str, bytes],
    *,
    tags: list[str] | None = None,
    **changes: Any,  # noqa: ANN401 - JSON
) -> dict[str, bytes]:
    """Return the members of what docker save writes for one image."""
    plain = [digest(data) for data in layers.values()]
    config = {"os": "linux", "architecture": "amd64"}
    config |= {"rootfs": {"type": "layers", "diff_ids": plain}} | changes
    data = dumps(config)
    name = f"{digest(data)[7:]}.json"
    entry = {"Config": name, "RepoTags": tags, "Layers": [*layers]}
    return {**layers, name: data, "manifest.json": dumps([entry])}


LAYERS = {
    "a/layer.tar": tar({"a": noise(1)}),
    "b/layer.tar": tar({"b": noise(2)}),
}


def write(path: Path, members: Mapping[str, bytes]) -> str:
    path.write_bytes(tar(members))
    return f"docker-archive:{path}"


def test_a_manifest_is_made_and_its_loss_is_said(tmp_path: Path) -> None:
    tags = ["ghcr.io/acme/app:v1", "app:latest"]
    text = write(tmp_path / "app.tar", saved(LAYERS, tags=tags))
    found = listed(text)
    assert [one.name for one in found] == ["app:latest", "ghcr.io/acme/app:v1"]
    assert len({one.revision for one in found}) == 1
    assert "docker save keeps no manifest" in found[0].warnings[0]
    assert found[0].notes == ("platforms: linux/amd64",)
    sizes = {file.size for file in found[0].files}
    assert {len(data) for data in LAYERS.values()} <= sizes
    again = listed(write(tmp_path / "copy.tar", saved(LAYERS, tags=tags)))
    assert [one.revision for one in again] == [one.revision for one in found]


def test_an_image_without_a_name_is_called_by_its_digest(tmp_path: Path) -> None:
    (one,) = listed(write(tmp_path / "My App.tar", saved(LAYERS)))
    assert one.name == f"my-app@{one.revision}"


def test_one_name_is_selected(tmp_path: Path) -> None:
    text = write(tmp_path / "a.tar", saved(LAYERS, tags=["app:v1", "app:v2"]))
    assert [one.name for one in listed(f"{text}:v2")] == ["app:v2"]
    with pytest.raises(SourceError, match="no such image"):
        listed(f"{text}:v3")


def test_a_compressed_layer_is_known_by_its_own_digest(tmp_path: Path) -> None:
    plain = tar({"a": noise(1)})
    members = saved({"a.tar": plain}, tags=["app:v1"])
    members["a.tar"] = squeezed(plain)
    (one,) = listed(write(tmp_path / "a.tar", members))
    paths = {file.path for file in one.files}
    assert f"blobs/sha256/{digest(squeezed(plain))[7:]}" in paths


def test_layers_that_are_links_are_followed(tmp_path: Path) -> None:
    members = saved({"x/layer.tar": LAYERS["a/layer.tar"]}, tags=["app:v1"])
    data = members.pop("x/layer.tar")
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name, content in {**members, "real.tar": data}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("x/layer.tar")
        link.type, link.linkname = tarfile.SYMTYPE, "../real.tar"
        archive.addfile(link)
    with no_flushing():
        Site(tmp_path).bundle(parse_source(f"docker-archive:{path}"))


def test_a_file_that_is_a_layout_too_says_so(tmp_path: Path) -> None:
    members = saved(LAYERS, tags=["app:v1"]) | {"oci-layout": b"{}"}
    (one,) = listed(write(tmp_path / "a.tar", members))
    assert "packed as oci-archive:" in one.warnings[1]


def changed(**entry: object) -> Callable[[], dict[str, bytes]]:
    def make() -> dict[str, bytes]:
        members = saved(LAYERS, tags=["app:v1"])
        (listed_entry,) = json.loads(members["manifest.json"])
        members["manifest.json"] = dumps([{**listed_entry, **entry}])
        return members

    return make


def spoilt_config() -> dict[str, bytes]:
    members = saved(LAYERS, tags=["app:v1"])
    (name,) = [name for name in members if len(name) == 69]
    members[name] = members[name] + b" "
    return members


ODD = {
    "no manifest.json": (dict, "not what docker save writes"),
    "no JSON": (lambda: {"manifest.json": b"["}, "not JSON"),
    "no list": (lambda: {"manifest.json": b"{}"}, "Expected `array`"),
    "a config that is missing": (changed(Config="x.json"), "x.json is missing"),
    "a layer that is missing": (changed(Layers=["a/layer.tar", "c"]), "c is missing"),
    "a layer too many": (changed(Layers=["a/layer.tar"] * 3), "3 layers where"),
    "a config that is damaged": (spoilt_config, "is damaged"),
    "a name that is none": (changed(RepoTags=["A B"]), "names no image"),
    "a config without layers": (
        lambda: saved(LAYERS, tags=["app:v1"], rootfs={}),
        "diff_ids",
    ),
}


@pytest.mark.parametrize(("make", "message"), ODD.values(), ids=ODD.keys())
def test_what_docker_would_not_write_is_refused(
    tmp_path: Path, make: Callable[[], dict[str, bytes]], message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        listed(write(tmp_path / "a.tar", make()))


def test_a_layer_of_another_digest_is_damaged(tmp_path: Path) -> None:
    members = saved(LAYERS, tags=["app:v1"])
    members["a/layer.tar"] = tar({"a": noise(9)})
    text = write(tmp_path / "a.tar", members)
    with no_flushing(), pytest.raises(SourceError, match="its SHA-256 is not"):
        Site(tmp_path).bundle(parse_source(text))


def compressed(path: Path) -> None:
    path.write_bytes(squeezed(tar(image().files())))


def half(path: Path) -> None:
    path.write_bytes(tar(image().files())[: 150 * 1024])


def no_tar(path: Path) -> None:
    path.write_bytes(b"hello" * 999)


def no_layout(path: Path) -> None:
    path.write_bytes(tar({"a": b"1"}))


def a_name_twice(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("index.json"))


def a_directory(path: Path) -> None:
    path.mkdir()


def nothing(path: Path) -> None:
    assert not path.exists()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (compressed, "a compressed tar"),
        (half, "not a whole tar|it stops within"),
        (no_tar, "not a whole tar"),
        (no_layout, "not an image layout in a tar"),
        (a_name_twice, "'index.json' is there twice"),
        (a_directory, "not a regular file"),
        (nothing, "no such file"),
        (a_pipe, "not a regular file"),
    ],
)
def test_a_file_that_is_no_layout_is_refused(
    tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    make(tmp_path / "a.tar")
    with pytest.raises(SourceError, match=message):
        listed(f"oci-archive:{tmp_path / 'a.tar'}")


def test_members_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = image().archive(tmp_path / "a.tar")
    count = len(image().files())
    monkeypatch.setattr(tar_files, "MAX_OCI_MEMBERS", count)
    assert listed(f"oci-archive:{path}")
    monkeypatch.setattr(tar_files, "MAX_OCI_MEMBERS", count - 1)
    with pytest.raises(SourceError, match=f"over {count - 1} members"):
        listed(f"oci-archive:{path}")


def test_an_archive_that_is_written_to_is_noticed(tmp_path: Path) -> None:
    path = image().archive(tmp_path / "a.tar")
    first, _ = listed(f"oci-archive:{path}")
    file = next(one for one in first.files if isinstance(one.content, Extent))
    opened = Opened(file)
    os.truncate(path, path.stat().st_size - 512)
    with pytest.raises(SourceError, match="changed while it was read"):
        opened.check_unchanged()
    opened.close()
    os.truncate(path, 512)
    with pytest.raises(SourceError, match="changed while it was read"):
        Opened(file)
