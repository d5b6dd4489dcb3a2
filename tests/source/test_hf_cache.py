"""Caches in every layout that clients have written give the same artifacts."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bundle.errors import SourceError
from bundle.source.base import Extent
from bundle.source.filter import ListOptions
from bundle.source.hf_cache import HfCacheSource, find_repositories
from bundle.source.hf_names import parse_selector
from tests.caches import (
    Layout,
    Repository,
    commit_of,
    etag,
    is_large,
    read,
    repository,
    small_model,
    tree_list,
    write_cache,
)
from tests.source.unprivileged import as_nobody, open_directory

if TYPE_CHECKING:
    from collections.abc import Callable

    from bundle.source.base import SourceArtifact, SourceFile

KEEP_GOING = ListOptions(keep_going=True)
NEW, OLD = small_model(), small_model("of an older commit")
NEW_COMMIT, OLD_COMMIT = commit_of(NEW), commit_of(OLD)
MODEL = repository(
    NEW,
    older=[OLD],
    refs={"refs/pr/1": OLD_COMMIT, "v1.0": OLD_COMMIT},
    absent=("adapter_config.json", "sub/absent.json"),
)


async def listed(
    path: Path, *selectors: str, options: ListOptions | None = None
) -> list[SourceArtifact]:
    source = HfCacheSource(
        path,
        tuple(parse_selector(one) for one in selectors),
        location="hf-cache:CACHE" + "".join(f"#{one}" for one in selectors),
        options=options or ListOptions(),
    )
    return await source.artifacts()


def bytes_of(file: SourceFile) -> bytes:
    assert not isinstance(file.content, Extent)
    return read(file.content)


def contents(artifact: SourceArtifact) -> dict[str, bytes]:
    return {file.path: bytes_of(file) for file in artifact.files}


def expected(repo: Repository, *commits: str, trees: bool = True) -> dict[str, bytes]:
    """Return what an artifact of the commits holds."""
    found: dict[str, bytes] = {}
    for commit in commits or tuple(repo.commits):
        files = repo.commits[commit]
        found |= {f"snapshots/{commit}/{path}": read(files[path]) for path in files}
        found |= {f".no_exist/{commit}/{path}": b"" for path in repo.absent}
        if trees:
            found[f"trees/{commit}.json"] = tree_list(files)
        for ref, target in repo.refs.items():
            if target == commit:
                found[f"refs/{ref}"] = commit.encode()
    return found


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    hub = tmp_path / "home" / "hub"
    hub.mkdir(parents=True)
    return hub


@pytest.mark.parametrize("trees", [True, False], ids=["with trees", "without trees"])
@pytest.mark.parametrize("layout", Layout, ids=lambda layout: layout.value)
async def test_every_layout_gives_the_same_files(
    hub: Path,
    layout: Layout,
    trees: bool,  # noqa: FBT001
) -> None:
    write_cache(hub, MODEL, layout, trees=trees)
    [artifact] = await listed(hub)
    assert artifact.kind == "hf-model"
    assert artifact.name == "org/model"
    assert artifact.source == "hf-cache:CACHE"
    assert artifact.licence == "apache-2.0"
    assert artifact.revision == ",".join(sorted([NEW_COMMIT, OLD_COMMIT]))
    assert contents(artifact) == expected(MODEL, trees=trees)
    paths = [file.path for file in artifact.files]
    assert paths == sorted(paths)
    assert not artifact.directories
    assert not artifact.problems


@pytest.mark.parametrize("layout", Layout, ids=lambda layout: layout.value)
async def test_content_is_known_by_the_name_that_the_hub_gives_it(
    hub: Path, layout: Layout
) -> None:
    write_cache(hub, MODEL, layout)
    [artifact] = await listed(hub)
    for file in artifact.files:
        area, commit, *rest = file.path.split("/", 2)
        if area != "snapshots":
            assert file.sha256 is None
            assert not file.git_sha1_wanted
            continue
        name = etag(rest[0], MODEL.commits[commit][rest[0]])
        large = is_large(rest[0])
        assert (file.sha256 or b"").hex() == (name if large else "")
        assert (file.git_sha1 or b"").hex() == ("" if large else name)
        assert file.git_sha1_wanted is not large


async def test_without_links_and_trees_content_has_no_name(hub: Path) -> None:
    write_cache(hub, MODEL, Layout.PLAIN, trees=False)
    [artifact] = await listed(hub)
    assert all(file.sha256 is file.git_sha1 is None for file in artifact.files)


@pytest.mark.parametrize("layout", Layout, ids=lambda layout: layout.value)
async def test_content_is_a_regular_file_of_the_size_given(
    hub: Path, layout: Layout
) -> None:
    write_cache(hub, MODEL, layout)
    [artifact] = await listed(hub)
    for file in artifact.files:
        if isinstance(file.content, Path):
            assert file.content.is_file()
            assert not file.content.is_symlink()
        assert file.size == len(bytes_of(file))
        assert not file.executable


async def test_every_kind_of_repository_is_an_artifact(hub: Path) -> None:
    for kind in ("hf-model", "hf-dataset", "hf-space", "hf-kernel"):
        write_cache(hub, repository(NEW, kind=kind))
    write_cache(hub, repository(NEW, name="gpt2"))
    found = [(one.kind, one.name) for one in await listed(hub)]
    assert found == [
        ("hf-dataset", "org/model"),
        ("hf-kernel", "org/model"),
        ("hf-model", "gpt2"),
        ("hf-model", "org/model"),
        ("hf-space", "org/model"),
    ]


async def test_a_home_is_taken_for_the_hub_in_it(hub: Path) -> None:
    write_cache(hub, MODEL)
    assert await listed(hub.parent) == await listed(hub)


async def test_repositories_directly_in_a_home_are_found_too(hub: Path) -> None:
    write_cache(hub, MODEL)
    write_cache(hub.parent, repository(NEW, name="org/misplaced"), litter=False)
    names = [one.name for one in await listed(hub.parent)]
    assert names == ["org/misplaced", "org/model"]


async def test_a_hub_that_is_a_link_to_its_home_is_one_cache(tmp_path: Path) -> None:
    write_cache(tmp_path, MODEL, litter=False)
    (tmp_path / "hub").symlink_to(".")
    assert len(await listed(tmp_path)) == 1


async def test_one_repository_in_two_places_is_refused(hub: Path) -> None:
    write_cache(hub, MODEL)
    write_cache(hub.parent, MODEL, litter=False)
    with pytest.raises(SourceError, match="one repository, two caches"):
        await listed(hub.parent)


async def test_a_cache_may_be_reached_through_a_link(hub: Path, tmp_path: Path) -> None:
    write_cache(hub, MODEL)
    (tmp_path / "alias").symlink_to(hub)
    [artifact] = await listed(tmp_path / "alias")
    assert contents(artifact) == expected(MODEL)


@pytest.mark.parametrize(
    ("selector", "commit"),
    {
        "a branch": ("org/model@main", NEW_COMMIT),
        "a nested ref": ("org/model@refs/pr/1", OLD_COMMIT),
        "a tag": ("org/model@v1.0", OLD_COMMIT),
        "a commit": (f"org/model@{OLD_COMMIT}", OLD_COMMIT),
        "the start of a commit": (f"org/model@{OLD_COMMIT[:7]}", OLD_COMMIT),
    }.values(),
)
async def test_one_revision_comes_with_what_belongs_to_it(
    hub: Path, selector: str, commit: str
) -> None:
    write_cache(hub, MODEL)
    write_cache(hub, repository(NEW, name="org/other"))
    [artifact] = await listed(hub, selector)
    assert artifact.revision == commit
    assert artifact.source == f"hf-cache:CACHE#{selector}"
    assert contents(artifact) == expected(MODEL, commit)


async def test_several_selectors_add_up(hub: Path) -> None:
    write_cache(hub, MODEL)
    write_cache(hub, repository(NEW, name="gpt2", kind="hf-dataset"))
    write_cache(hub, repository(NEW, name="org/unwanted"))
    data, model = await listed(
        hub, "org/model@main", "datasets/gpt2", "org/model@refs/pr/1"
    )
    assert data.source == "hf-cache:CACHE#datasets/gpt2"
    assert model.source == "hf-cache:CACHE#org/model@main#org/model@refs/pr/1"
    assert contents(model) == expected(MODEL)


@pytest.mark.parametrize(
    ("selector", "message", "advice"),
    [
        ("org/absent", "no repository org/absent", "org/model"),
        ("datasets/org/model", "no repository datasets/org/model", "org/model"),
        ("org/model@v2", "'v2': no such revision", f"main.*{OLD_COMMIT[:12]}"),
        (f"org/model@{NEW_COMMIT[:6]}", "no such revision", NEW_COMMIT[:12]),
        (f"org/model@{'0' * 40}", "no such revision", "main"),
    ],
)
async def test_what_is_not_there_is_refused_with_what_is(
    hub: Path, selector: str, message: str, advice: str
) -> None:
    write_cache(hub, MODEL)
    with pytest.raises(SourceError, match=message) as caught:
        await listed(hub, selector)
    assert re.search(advice, caught.value.advice)


async def test_a_start_that_fits_two_commits_is_refused(hub: Path) -> None:
    twins = Repository("org/model", {"a" * 39 + "0": NEW, "a" * 39 + "1": OLD}, {})
    write_cache(hub, twins)
    with pytest.raises(SourceError, match="several revisions start so"):
        await listed(hub, f"org/model@{'a' * 39}")


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda _: None])
async def test_what_is_no_cache_is_refused(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "cache")
    with pytest.raises(SourceError) as caught:
        await listed(tmp_path / "cache")
    assert caught.value.advice


async def test_line_ends_after_a_ref_are_left_out(hub: Path) -> None:
    root = write_cache(hub, MODEL)
    (root / "refs" / "main").write_bytes(f"{NEW_COMMIT}\r\n".encode())
    [artifact] = await listed(hub)
    assert contents(artifact)["refs/main"] == NEW_COMMIT.encode()


def secrets_of(hub: Path) -> set[str]:
    return {
        path.name
        for path in hub.parent.rglob("*")
        if "token" in path.name
        or path.name.endswith((".incomplete", ".lock", ".refs", ".log"))
    }


@pytest.mark.parametrize("layout", Layout, ids=lambda layout: layout.value)
async def test_litter_and_secrets_stay(hub: Path, layout: Layout) -> None:
    write_cache(hub, MODEL, layout)
    assert len(secrets_of(hub)) >= 5
    for path in (hub, hub.parent):
        for artifact in await listed(path):
            assert {"snapshots", "refs", ".no_exist", "trees"} == {
                file.path.partition("/")[0] for file in artifact.files
            }
            names = {file.path.rpartition("/")[2] for file in artifact.files}
            assert not names & secrets_of(hub)


async def test_an_unfinished_file_in_a_snapshot_stays(hub: Path) -> None:
    root = write_cache(hub, MODEL, Layout.PLAIN)
    (root / "snapshots" / NEW_COMMIT / "model.safetensors.incomplete").touch()
    [artifact] = await listed(hub)
    assert contents(artifact) == expected(MODEL)


async def test_an_empty_snapshot_that_nothing_names_is_nothing(hub: Path) -> None:
    root = write_cache(hub, MODEL)
    (root / "snapshots" / ("0" * 40)).mkdir()
    [artifact] = await listed(hub)
    assert contents(artifact) == expected(MODEL)


Spoil = tuple["Callable[[Path], object]", str]


def _replace(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def _new(root: Path, path: str) -> Path:
    return root / "snapshots" / NEW_COMMIT / path


def _name_an_empty_revision(root: Path) -> None:
    (root / "refs" / "dev").write_text("0" * 40)
    (root / "snapshots" / ("0" * 40)).mkdir()


BLOB = etag("config.json", NEW["config.json"])

DAMAGED: dict[str, Spoil] = {
    "a blob that is gone": (
        lambda root: (root / "blobs" / BLOB).unlink(),
        f"config.json: a dangling link, .*{BLOB} is not there",
    ),
    "a blob that leads out of the cache": (
        lambda root: _replace(root / "blobs" / BLOB, "/etc/hostname"),
        "config.json: leads to /etc/hostname, outside",
    ),
    "a link that leads out of the cache": (
        lambda root: _replace(_new(root, "config.json"), "../" * 9 + "etc/passwd"),
        "config.json: leads to .*/etc/passwd, outside",
    ),
    "a link into the home beside the cache": (
        lambda root: _replace(_new(root, "config.json"), "../../../../token"),
        "config.json: leads to .*/token, outside",
    ),
    "a link to an unfinished download": (
        lambda root: _replace(
            _new(root, "config.json"),
            f"../../blobs/{'0' * 64}.0a1b2c3d.incomplete",
        ),
        "config.json: its download did not finish",
    ),
    "a link to a directory": (
        lambda root: _replace(_new(root, "config.json"), "../../blobs"),
        "config.json: neither a file nor a link to one",
    ),
    "a link to itself": (
        lambda root: _replace(_new(root, "config.json"), "config.json"),
        "config.json: its links run in a circle",
    ),
    "a pipe": (
        lambda root: os.mkfifo(_new(root, "pipe")),
        "pipe: neither a file",
    ),
    "a name that Windows cannot keep": (
        lambda root: _new(root, "aux.json").touch(),
        r"aux.json: cannot be carried.*2\.3",
    ),
    "names that differ in case": (
        lambda root: _new(root, "readme.md").touch(),
        r"'.*/readme.md' and '.*/README.md'.*2\.4",
    ),
    "a snapshot not named after a commit": (
        lambda root: (root / "snapshots" / "main").mkdir(),
        "snapshots/main: not named after a commit",
    ),
    "a file among the snapshots": (
        lambda root: (root / "snapshots" / "notes.txt").touch(),
        "snapshots/notes.txt: not named after a commit",
    ),
    "a ref to a revision that is not here": (
        lambda root: (root / "refs" / "dev").write_text("0" * 40),
        f"refs/dev names {'0' * 40}, which has no file here",
    ),
    "a ref to an empty revision": (
        _name_an_empty_revision,
        "refs/dev names",
    ),
    "an empty ref": (
        lambda root: (root / "refs" / "dev").touch(),
        "refs/dev: does not hold a commit",
    ),
    "a ref that holds something else": (
        lambda root: (root / "refs" / "dev").write_text("../../" * 20),
        "refs/dev: does not hold a commit",
    ),
    "a ref that is a dangling link": (
        lambda root: (root / "refs" / "dev").symlink_to("gone"),
        "refs/dev: a dangling link",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), DAMAGED.values(), ids=DAMAGED.keys())
async def test_damage_is_refused_with_a_name_and_a_next_step(
    hub: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(write_cache(hub, MODEL))
    with pytest.raises(SourceError, match=message) as caught:
        await listed(hub)
    assert caught.value.exit_code == 15
    assert caught.value.advice


@pytest.mark.parametrize(("spoil", "message"), DAMAGED.values(), ids=DAMAGED.keys())
async def test_with_keep_going_the_rest_is_listed(
    hub: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(write_cache(hub, MODEL))
    write_cache(hub, repository(NEW, name="org/other"))
    model, other = await listed(hub, options=KEEP_GOING)
    [problem] = model.problems
    assert re.search(message, problem)
    assert not other.problems
    found = contents(model)
    assert expected(MODEL, OLD_COMMIT).items() <= found.items()
    assert found.items() <= expected(MODEL).items()
    missing = expected(MODEL).keys() - found.keys()
    assert missing <= {
        f"snapshots/{NEW_COMMIT}/config.json",
        f"trees/{NEW_COMMIT}.json",
    }


@pytest.mark.parametrize(("spoil", "message"), DAMAGED.values(), ids=DAMAGED.keys())
async def test_damage_elsewhere_does_not_hinder_a_selected_revision(
    hub: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(write_cache(hub, MODEL))
    [artifact] = await listed(hub, "org/model@v1.0")
    assert contents(artifact) == expected(MODEL, OLD_COMMIT), message


async def test_a_damaged_ref_that_is_asked_for_is_refused(hub: Path) -> None:
    root = write_cache(hub, MODEL)
    (root / "refs" / "main").write_bytes(b"")
    with pytest.raises(SourceError, match="refs/main: does not hold a commit"):
        await listed(hub, "org/model@main")


async def test_what_is_excluded_may_be_damaged(hub: Path) -> None:
    root = write_cache(hub, MODEL)
    (root / "blobs" / BLOB).unlink()
    [artifact] = await listed(hub, options=ListOptions(exclude=("*/config.json",)))
    names = {path.rpartition("/")[2] for path in contents(artifact)}
    assert "config.json" not in names
    assert "vocab.txt" in names
    assert not any(path.startswith("trees/") for path in contents(artifact))


async def test_patterns_that_leave_nothing_leave_no_artifact(hub: Path) -> None:
    write_cache(hub, MODEL)
    assert await listed(hub, options=ListOptions(include=("*.gguf",))) == []


def empty(root: Path) -> None:
    for name in ("blobs", "refs"):
        (root / name).mkdir(parents=True)


def a_file(root: Path) -> None:
    root.touch()


def a_link_out(root: Path) -> None:
    (root.parent.parent / "elsewhere").mkdir()
    root.symlink_to("../elsewhere")


HUSKS = {
    "only an unfinished download": ("models--org--husk", empty, "holds no revision"),
    "a file": ("models--org--husk", a_file, "not a directory"),
    "a link out of the cache": ("models--org--husk", a_link_out, "outside"),
    "a name that no repository has": ("models--a--b--c", empty, "not the name"),
}


@pytest.mark.parametrize(("name", "make", "message"), HUSKS.values(), ids=HUSKS.keys())
async def test_what_only_looks_like_a_repository_is_a_problem(
    hub: Path, name: str, make: Callable[[Path], None], message: str
) -> None:
    write_cache(hub, MODEL)
    make(hub / name)
    with pytest.raises(SourceError, match=f"{name}: .*{message}"):
        await listed(hub)
    husk = [one for one in await listed(hub, options=KEEP_GOING) if one.problems]
    assert [one.files for one in husk] == [()]


@pytest.mark.parametrize("damage", [b"{", b'{"format_version": 7}'])
async def test_a_damaged_tree_list_is_left_out_and_said(
    hub: Path, damage: bytes
) -> None:
    root = write_cache(hub, MODEL)
    (root / "trees" / f"{NEW_COMMIT}.json").write_bytes(damage)
    [artifact] = await listed(hub)
    assert f"trees/{NEW_COMMIT}.json" not in contents(artifact)
    assert any("left out" in warning for warning in artifact.warnings)


async def test_a_revision_that_is_not_whole_is_said(hub: Path) -> None:
    root = write_cache(hub, MODEL)
    _new(root, "vocab.txt").unlink()
    [artifact] = await listed(hub)
    [warning] = [one for one in artifact.warnings if "not whole" in one]
    assert "1 of 8 files are missing (vocab.txt)" in warning
    assert f"trees/{NEW_COMMIT}.json" in contents(artifact)


async def test_a_list_of_a_revision_that_is_not_here_stays(hub: Path) -> None:
    root = write_cache(hub, MODEL)
    (root / "trees" / f"{'0' * 40}.json").write_bytes(tree_list(NEW))
    (root / ".no_exist" / ("0" * 40)).mkdir()
    (root / ".no_exist" / ("0" * 40) / "x").touch()
    [artifact] = await listed(hub)
    assert contents(artifact) == expected(MODEL)


def test_what_may_not_be_read_is_named() -> None:
    with open_directory() as hub:
        root = write_cache(hub, MODEL)
        for path in root.rglob("*.json"):
            path.chmod(0o644)
        (root / "blobs" / BLOB).chmod(0)
        _new(root, "1_Pooling").chmod(0)
        (root / "trees" / f"{OLD_COMMIT}.json").chmod(0)

        def look() -> list[list[str]]:
            [artifact] = HfCacheSource(hub, options=KEEP_GOING)._list()
            paths = [file.path for file in artifact.files]
            return [paths, list(artifact.problems), list(artifact.warnings)]

        paths, problems, warnings = as_nobody(look)
        _new(root, "1_Pooling").chmod(0o755)
    assert [one.partition(";")[0].partition(NEW_COMMIT)[2] for one in problems] == [
        "/1_Pooling: permission denied",
        "/config.json: permission denied",
    ]
    assert any(f"{OLD_COMMIT}.json: permission denied" in one for one in warnings)
    assert f"snapshots/{NEW_COMMIT}/vocab.txt" in paths
    assert f"trees/{NEW_COMMIT}.json" not in paths


def test_repositories_are_found_by_name(hub: Path) -> None:
    write_cache(hub, MODEL)
    [name] = find_repositories(str(hub.parent))
    assert str(name) == "org/model"
