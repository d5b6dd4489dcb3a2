import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bundle.errors import TargetError
from bundle.target.hf_cache import HuggingFaceTarget
from tests.clients import ClientError, HubClient, contents
from tests.target.interrupted import Interruption
from tests.target.sample import (
    ONE,
    TWO,
    XET,
    git_sha1,
    listing,
    listing_of,
    repository,
    sample,
    unpack,
)

WEIGHTS = bytes(range(256)) * 40
OLD = {"config.json": b"{}", "1_Pooling/config.json": b'{"a": 1}', "w.bin": WEIGHTS}
NEW = {**OLD, "config.json": b'{"new": true}', "a/b/c/deep.txt": b"deep", "empty": b""}
FIRST = repository({ONE: OLD}, {"main": ONE}, no_exist=["adapter_config.json"])
SECOND = repository({ONE: OLD, TWO: NEW}, {"main": TWO, "refs/pr/1": ONE})
FOLDER = "models--org--model"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubClient]:
    with HubClient(home=tmp_path_factory.mktemp("home")) as client:
        yield client


def _cache(root: Path, *, copy: bool = False) -> HuggingFaceTarget:
    return HuggingFaceTarget(f"hf-cache:{root}", root, home=False, copy=copy)


def _home(root: Path, *, copy: bool = False) -> HuggingFaceTarget:
    return HuggingFaceTarget(f"hf-home:{root}", root, home=True, copy=copy)


@pytest.mark.parametrize("copy", [False, True], ids=["links", "copies"])
@pytest.mark.parametrize("home", [False, True], ids=["hf-cache", "hf-home"])
def test_a_client_loads_every_file_byte_for_byte(
    tmp_path: Path, *, home: bool, copy: bool
) -> None:
    root = tmp_path / "target"
    target = _home(root, copy=copy) if home else _cache(root, copy=copy)
    unpack(target, SECOND)
    with HubClient(home=root) if home else HubClient(cache=root) as client:
        assert contents(client.snapshot("org/model")) == NEW
        assert contents(client.snapshot("org/model", revision="refs/pr/1")) == OLD
        assert contents(client.snapshot("org/model", revision=ONE)) == OLD
        for name, data in NEW.items():
            assert client.file("org/model", name).read_bytes() == data
        scan = client.scan()
    assert scan.warnings == []
    assert scan.repositories == {"model/org/model": {ONE: ["refs/pr/1"], TWO: ["main"]}}


@pytest.mark.parametrize(
    ("kind", "name", "folder"),
    [
        ("hf-model", "gpt2", "models--gpt2"),
        ("hf-dataset", "org/data", "datasets--org--data"),
        ("hf-space", "org/app", "spaces--org--app"),
        ("hf-kernel", "org/kernel", "kernels--org--kernel"),
    ],
)
def test_every_kind_is_found_where_clients_look(
    tmp_path: Path, client: HubClient, kind: str, name: str, folder: str
) -> None:
    target = _cache(tmp_path)
    assert target.takes(kind)
    unpack(target, repository({ONE: OLD}, {"main": ONE}, name=name, kind=kind))
    assert (tmp_path / folder).is_dir()
    repo_type = kind.removeprefix("hf-")
    path = client.snapshot(name, repo_type=repo_type, cache_dir=str(tmp_path))
    assert contents(path) == OLD
    assert list(client.scan(tmp_path).repositories) == [f"{repo_type}/{name}"]


def test_a_tree_is_not_for_a_cache(tmp_path: Path) -> None:
    assert not _cache(tmp_path).takes("tree")


@pytest.mark.parametrize("copy", [False, True], ids=["links", "copies"])
def test_a_second_run_writes_nothing_and_says_so(tmp_path: Path, *, copy: bool) -> None:
    first = unpack(_cache(tmp_path, copy=copy), SECOND)
    assert first.kept_files == 0
    assert first.written_files == len(SECOND.content)
    before = listing_of(tmp_path)
    second = unpack(_cache(tmp_path, copy=copy), SECOND)
    after = listing_of(tmp_path)
    assert (second.written_files, second.written_bytes) == (0, 0)
    assert second.kept_files == len(SECOND.content)
    for passing in (".locks/.bundle",):
        before.pop(passing)
        after.pop(passing)
    assert after == before


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    unpack(_cache(tmp_path), FIRST)
    blobs = listing_of(tmp_path / FOLDER / "blobs")
    done = unpack(_cache(tmp_path), SECOND)
    assert done.written_bytes < len(WEIGHTS)
    assert blobs.items() <= listing_of(tmp_path / FOLDER / "blobs").items()


def test_files_are_for_the_group_and_links_are_relative(tmp_path: Path) -> None:
    mask = os.umask(0o077)
    try:
        unpack(_home(tmp_path / "new"), SECOND)
    finally:
        os.umask(mask)
    for path in (tmp_path / "new").rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink():
            assert not path.readlink().is_absolute()
            assert path.readlink().parts[-2] == "blobs"
        else:
            assert mode == (0o775 if path.is_dir() else 0o664), path


def test_blobs_are_named_as_clients_name_them(tmp_path: Path) -> None:
    unpack(_cache(tmp_path), FIRST)
    names = {path.name for path in (tmp_path / FOLDER / "blobs").iterdir()}
    assert git_sha1(b"{}").hex() in names
    assert sorted(map(len, names)) == [40, 40, 64]


def test_refs_are_a_commit_and_nothing_else(tmp_path: Path) -> None:
    unpack(_cache(tmp_path), SECOND)
    refs = contents(tmp_path / FOLDER / "refs")
    assert refs == {"main": TWO.encode(), "refs/pr/1": ONE.encode()}


def test_what_the_hub_does_not_have_is_known_offline(
    tmp_path: Path, client: HubClient
) -> None:
    unpack(_cache(tmp_path), FIRST)
    where = {"cache_dir": str(tmp_path)}
    assert client.cached("org/model", "adapter_config.json", **where) == "no such file"
    assert client.cached("org/model", "unheard of", **where) is None


def test_copies_are_real_files_and_there_are_no_blobs(tmp_path: Path) -> None:
    unpack(_cache(tmp_path, copy=True), SECOND)
    assert not (tmp_path / FOLDER / "blobs").exists()
    assert not [path for path in tmp_path.rglob("*") if path.is_symlink()]


def test_links_become_copies_when_asked(tmp_path: Path) -> None:
    unpack(_cache(tmp_path), FIRST)
    unpack(_cache(tmp_path, copy=True), FIRST)
    snapshot = tmp_path / FOLDER / "snapshots" / ONE
    assert contents(snapshot) == OLD
    assert not [path for path in snapshot.rglob("*") if path.is_symlink()]


def test_real_files_in_a_snapshot_are_kept_if_they_are_right(tmp_path: Path) -> None:
    unpack(_cache(tmp_path, copy=True), FIRST)
    assert unpack(_cache(tmp_path), FIRST).written_files == 0
    (tmp_path / FOLDER / "snapshots" / ONE / "w.bin").write_bytes(b"\0" * len(WEIGHTS))
    assert unpack(_cache(tmp_path), FIRST).written_files == 1
    assert contents(tmp_path / FOLDER / "snapshots" / ONE) == OLD


def _shorten(blob: Path) -> None:
    blob.write_bytes(blob.read_bytes()[:-1])


def _flip(blob: Path) -> None:
    data = bytearray(blob.read_bytes())
    data[5] ^= 1
    blob.write_bytes(data)


def _dangle(blob: Path) -> None:
    blob.unlink()
    blob.symlink_to("../../blobs/ab/" + "ab" * 32)


def _lead_away(blob: Path) -> None:
    away = blob.parents[2] / "away"
    blob.rename(away)
    blob.symlink_to(away)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(_shorten, id="cut off"),
        pytest.param(_flip, id="one bit flipped"),
        pytest.param(_dangle, id="a link that leads nowhere"),
        pytest.param(_lead_away, id="a link to the right content elsewhere"),
        pytest.param(Path.unlink, id="gone"),
    ],
)
def test_a_damaged_blob_is_replaced(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    unpack(_cache(tmp_path), FIRST)
    (blob,) = (path for path in (tmp_path / FOLDER / "blobs").glob("?" * 64))
    damage(blob)
    done = unpack(_cache(tmp_path), FIRST)
    assert done.written_bytes == len(WEIGHTS)
    assert not blob.is_symlink()
    assert contents(tmp_path / FOLDER / "snapshots" / ONE) == OLD


def test_a_damaged_blob_that_is_mapped_is_replaced_and_not_changed(
    tmp_path: Path,
) -> None:
    unpack(_cache(tmp_path), FIRST)
    (blob,) = (path for path in (tmp_path / FOLDER / "blobs").glob("?" * 64))
    _flip(blob)
    with blob.open("rb") as reader:
        before = blob.read_bytes()
        unpack(_cache(tmp_path), FIRST)
        assert reader.read() == before
    assert blob.read_bytes() == WEIGHTS


def test_a_blob_in_the_store_that_clients_share_is_kept(
    tmp_path: Path, client: HubClient
) -> None:
    unpack(_cache(tmp_path), FIRST)
    (blob,) = (path for path in (tmp_path / FOLDER / "blobs").glob("?" * 64))
    shared = tmp_path / "blobs" / XET[:2] / XET
    shared.parent.mkdir(parents=True)
    (tmp_path / "blobs" / ".huggingface-shared-blobs").write_bytes(b"1\n")
    blob.rename(shared)
    blob.symlink_to(f"../../blobs/{XET[:2]}/{XET}")
    done = unpack(_cache(tmp_path), SECOND)
    assert blob.is_symlink()
    assert done.written_bytes < len(WEIGHTS)
    where = {"cache_dir": str(tmp_path)}
    assert contents(client.snapshot("org/model", **where)) == NEW
    assert client.scan(tmp_path).warnings == []
    shared.write_bytes(b"damaged")
    assert unpack(_cache(tmp_path), SECOND).written_bytes == len(WEIGHTS)
    assert not blob.is_symlink()
    assert shared.read_bytes() == b"damaged"


@pytest.mark.parametrize("copy", [False, True], ids=["links", "copies"])
def test_a_snapshot_that_was_filtered_before_is_filled(
    tmp_path: Path, client: HubClient, *, copy: bool
) -> None:
    part = {"config.json": OLD["config.json"]}
    some = repository({ONE: part}, {"main": ONE}, listings=False)
    some.content[f"trees/{ONE}.json"] = listing(OLD)
    some = sample("hf-model", "org/model", some.content)
    where = {"cache_dir": str(tmp_path)}
    done = unpack(_cache(tmp_path, copy=copy), some)
    assert done.left_out == (f"trees/{ONE}.json",)
    assert contents(client.snapshot("org/model", **where)) == part
    again = unpack(_cache(tmp_path, copy=copy), some)
    assert (again.written_files, again.left_out) == (0, done.left_out)
    whole = unpack(_cache(tmp_path, copy=copy), FIRST)
    assert whole.left_out == ()
    assert contents(client.snapshot("org/model", **where)) == OLD
    assert (tmp_path / FOLDER / "trees" / f"{ONE}.json").exists()


def test_a_listing_does_not_name_another_store(tmp_path: Path) -> None:
    unpack(_cache(tmp_path), FIRST)
    data = json.loads((tmp_path / FOLDER / "trees" / f"{ONE}.json").read_bytes())
    expected = json.loads(listing(OLD))
    for entry in expected["files"].values():
        del entry["xet_hash"]
    assert data == expected


def test_a_listing_that_a_client_wrote_is_cleaned(tmp_path: Path) -> None:
    unpack(_cache(tmp_path), FIRST)
    path = tmp_path / FOLDER / "trees" / f"{ONE}.json"
    path.write_bytes(listing(OLD))
    done = unpack(_cache(tmp_path), FIRST)
    assert done.written_files == 1
    assert XET.encode() not in path.read_bytes()


PLANTED = [
    FOLDER,
    f"{FOLDER}/blobs",
    f"{FOLDER}/snapshots",
    f"{FOLDER}/snapshots/{TWO}",
    f"{FOLDER}/snapshots/{TWO}/a",
    f"{FOLDER}/refs",
    f"{FOLDER}/refs/refs",
    f"{FOLDER}/trees",
    ".locks",
]


@pytest.mark.parametrize("planted", PLANTED)
def test_a_link_planted_in_the_way_is_refused(tmp_path: Path, planted: str) -> None:
    cache, away = tmp_path / "cache", tmp_path / "away"
    (cache / planted).parent.mkdir(parents=True)
    away.mkdir()
    (cache / planted).symlink_to(away)
    before = listing_of(tmp_path)
    with pytest.raises(TargetError, match="where a directory belongs"):
        unpack(_cache(cache), SECOND)
    assert listing_of(tmp_path) == before


def test_a_planted_hub_is_refused_and_the_other_scheme_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "hub").symlink_to(".")
    with pytest.raises(TargetError, match="where a directory belongs"):
        unpack(_home(tmp_path / "home"), FIRST)


@pytest.mark.parametrize(
    "there",
    [
        f"snapshots/{ONE}/config.json",
        f"blobs/{git_sha1(OLD['config.json']).hex()}",
        "refs/main",
    ],
)
def test_a_directory_in_place_of_a_file_is_refused(tmp_path: Path, there: str) -> None:
    (tmp_path / FOLDER / there).mkdir(parents=True)
    before = listing_of(tmp_path)
    with pytest.raises(TargetError, match="a directory is in place of a file"):
        unpack(_cache(tmp_path), FIRST)
    assert listing_of(tmp_path) == before


def test_a_ref_to_nothing_is_refused_before_anything_appears(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="is no snapshot here or in the bundle"):
        unpack(_cache(tmp_path), repository({ONE: OLD}, {"main": TWO}))
    assert not (tmp_path / FOLDER).exists()


def test_a_ref_to_a_snapshot_that_is_here_is_published(tmp_path: Path) -> None:
    unpack(_cache(tmp_path), SECOND)
    unpack(_cache(tmp_path), repository({TWO: NEW}, {"main": ONE}))
    assert (tmp_path / FOLDER / "refs" / "main").read_bytes() == ONE.encode()


def test_one_content_at_many_names_is_copied_where_there_are_no_links(
    tmp_path: Path,
) -> None:
    same = {f"{number}.bin": WEIGHTS for number in range(4)}
    item = repository({ONE: same, TWO: same}, {"main": ONE})
    done = unpack(_cache(tmp_path / "copies", copy=True), item)
    assert done.written_bytes >= 8 * len(WEIGHTS)
    done = unpack(_cache(tmp_path / "links"), item)
    assert done.written_bytes < 2 * len(WEIGHTS)
    for root in ("copies", "links"):
        for commit in (ONE, TWO):
            assert contents(tmp_path / root / FOLDER / "snapshots" / commit) == same


def test_one_staged_file_serves_two_repositories(tmp_path: Path) -> None:
    other = repository({ONE: OLD}, {"main": ONE}, name="org/other")
    unpack(_cache(tmp_path), FIRST, other)
    for folder in (FOLDER, "models--org--other"):
        assert contents(tmp_path / folder / "snapshots" / ONE) == OLD


def test_content_that_has_two_names_on_the_hub_has_two_blobs(tmp_path: Path) -> None:
    content = {f"snapshots/{ONE}/{name}": b"same" for name in ("plain", "large")}
    item = sample("hf-model", "org/model", content, large=[f"snapshots/{ONE}/large"])
    unpack(_cache(tmp_path), item)
    blobs = sorted((tmp_path / FOLDER / "blobs").iterdir())
    assert sorted(len(blob.name) for blob in blobs) == [40, 64]
    assert [blob.read_bytes() for blob in blobs] == [b"same", b"same"]


def test_the_room_needed_counts_a_blob_once_and_a_copy_each_time(
    tmp_path: Path,
) -> None:
    same = {f"{number}.bin": WEIGHTS for number in range(4)}
    recipe = repository({ONE: same}, {"main": ONE}, listings=False).recipe
    everything = range(len(recipe.sizes))
    copies = _cache(tmp_path, copy=True).needed_sizes(recipe, everything)
    links = _cache(tmp_path).needed_sizes(recipe, everything)
    assert sum(copies) == 4 * len(WEIGHTS) + 40
    assert sum(links) == len(WEIGHTS) + 40


def test_nothing_is_flushed_after_the_name_that_needs_it(tmp_path: Path) -> None:
    """Each area is durable before a name of the next one appears."""
    unpack(_cache(tmp_path), FIRST)
    watch = Interruption()
    with watch.armed():
        unpack(_cache(tmp_path), SECOND)
    areas = [f"{FOLDER}/{area}" for area in ("blobs", "snapshots", "trees", "refs")]
    dirty: set[str] = set()
    reached: list[int] = []
    for call, name in watch.events:
        if call in ("rename", "mkdir", "symlink"):
            rank = next((i for i, area in enumerate(areas) if area in name), None)
            if call == "rename" and rank is not None:
                earlier = areas[:rank]
                assert not [d for d in dirty for area in earlier if area in d], name
                assert not [d for d in dirty if "/build/" in d], name
                reached.append(rank)
            dirty.add(str(Path(name).parent))
        elif call == "fchmod":
            dirty.add(name)
        elif call == "fsync":
            dirty.discard(name)
    assert reached == sorted(reached)
    assert set(reached) == set(range(len(areas)))
    assert not [name for name in dirty if FOLDER in name]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("snapshots/main/config.json", id="a branch for a commit"),
        pytest.param(f"snapshots/{ONE}", id="a file for a snapshot"),
        pytest.param(f"snapshots/{ONE.replace('1', 'A')}/x", id="an upper-case commit"),
        pytest.param("blobs/" + "a" * 64, id="a blob"),
        pytest.param(f".no_exist/{ONE}/x", id="a marker that is not empty"),
        pytest.param(f"trees/{ONE}.txt", id="a listing of another type"),
        pytest.param(f"trees/{ONE}.json/x", id="a directory for a listing"),
        pytest.param("refs/main", id="a ref that is no commit"),
        pytest.param(".locks/x", id="a lock"),
        pytest.param("config.json", id="a file at the top"),
    ],
)
def test_a_path_that_no_cache_has_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(TargetError, match="has no place for"):
        unpack(_cache(tmp_path), sample("hf-model", "org/model", {path: b"content"}))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name",
    ["a/b/c", "a--b", "org/a--b", "a..b", "-a", "org/-a", "a b", "é/a", "x" * 97],
)
def test_a_name_that_clients_refuse_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(TargetError, match="is not the name of"):
        unpack(_cache(tmp_path), repository({ONE: OLD}, {}, name=name))
    assert not list(tmp_path.iterdir())


def test_an_unknown_revision_is_still_unknown(
    tmp_path: Path, client: HubClient
) -> None:
    unpack(_cache(tmp_path), FIRST)
    with pytest.raises(ClientError, match="LocalEntryNotFound"):
        client.snapshot("org/model", revision="v1", cache_dir=str(tmp_path))


def test_what_was_published_is_known_without_its_recipe(tmp_path: Path) -> None:
    assert not _cache(tmp_path).holds(FIRST.artifact)
    unpack(_cache(tmp_path), FIRST)
    assert _cache(tmp_path).holds(FIRST.artifact)
    assert not _cache(tmp_path).holds(SECOND.artifact)
    unpack(_cache(tmp_path), SECOND)
    assert _cache(tmp_path).holds(SECOND.artifact)
    assert not _cache(tmp_path).holds(FIRST.artifact)


@pytest.mark.parametrize(
    "lost",
    [
        f"blobs/{git_sha1(OLD['config.json']).hex()}",
        f"snapshots/{ONE}/config.json",
        f"trees/{ONE}.json",
        "refs/main",
    ],
)
def test_what_is_not_whole_any_more_is_not_held(tmp_path: Path, lost: str) -> None:
    unpack(_cache(tmp_path), FIRST)
    (tmp_path / FOLDER / lost).unlink()
    assert not _cache(tmp_path).holds(FIRST.artifact)
    unpack(_cache(tmp_path), FIRST)
    assert _cache(tmp_path).holds(FIRST.artifact)
