"""Revisions go whole, blobs when no link leads to them; a real client looks on."""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from bundle.target.hf_cache import HuggingFaceTarget
from tests.clients import ClientError, HubClient, contents
from tests.target.interrupted import Interruption, PowerCut, bury
from tests.target.published import prune, release
from tests.target.sample import ONE, TWO, repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

THREE = "3" * 40
WEIGHTS = bytes(range(256)) * 40
OLD = {"config.json": b"{}", "sub/a.json": b"old", "w.bin": WEIGHTS}
NEW = {**OLD, "config.json": b'{"b": 2}', "sub/a.json": b"new"}
FIRST = repository({ONE: OLD}, {"main": ONE, "pr/1": ONE}, no_exist=["n"])
SECOND = repository({TWO: NEW}, {"main": TWO}, no_exist=["n"])
OTHER = repository({THREE: {"x": b"x"}}, {"main": THREE}, name="org/other")
MODEL = "models--org--model"
SLICE = 12


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubClient]:
    with HubClient(home=tmp_path_factory.mktemp("home")) as client:
        yield client


def target(
    root: Path, keep: int | None = None, *, copy: bool = False
) -> HuggingFaceTarget:
    made = HuggingFaceTarget(f"hf-cache:{root}", root, home=False, copy=copy)
    made.keep = keep
    return made


def stayed(one: HuggingFaceTarget) -> list[str]:
    assert one.pruned is not None
    return [line.partition(f"{MODEL}/")[2] for line in one.pruned.stayed]


def names(root: Path) -> set[str]:
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if ".locks" not in path.parts
    }


@pytest.mark.parametrize("copy", [False, True], ids=["links", "copies"])
def test_a_revision_goes_when_no_kept_release_has_it(
    tmp_path: Path, client: HubClient, *, copy: bool
) -> None:
    release(target(tmp_path, 2, copy=copy), 1, FIRST, OTHER)
    release(target(tmp_path, 2, copy=copy), 2, SECOND)
    where = {"cache_dir": str(tmp_path)}
    assert contents(client.snapshot("org/model", revision=ONE, **where)) == OLD
    assert contents(client.snapshot("org/other", **where)) == {"x": b"x"}
    pruning = target(tmp_path, 1, copy=copy)
    before = pruning.ledger.identity()
    release(pruning, 3, SECOND)
    assert contents(client.snapshot("org/model", **where)) == NEW
    with pytest.raises(ClientError):
        client.snapshot("org/model", revision=ONE, **where)
    scan = client.scan(tmp_path)
    assert scan.warnings == []
    assert scan.repositories == {"model/org/model": {TWO: ["main"]}}
    assert not any(ONE in path for path in names(tmp_path))
    assert not (tmp_path / MODEL / "refs" / "pr").exists()
    assert not (tmp_path / "models--org--other").exists()
    if not copy:
        assert len(list((tmp_path / MODEL / "blobs").iterdir())) == len(NEW)
    assert stayed(pruning) == []
    assert [one.seq for one in pruning.ledger.releases()] == [3]
    after = pruning.ledger.identity()
    assert before is not None
    assert after is not None
    assert after.generation > before.generation
    left = {path.name for path in (tmp_path / ".locks/.bundle/originals").iterdir()}
    trees = [item for item in SECOND.content if item.startswith("trees/")]
    assert len(left) == len(trees)


def test_what_users_downloaded_stays_with_the_blobs_it_needs(
    tmp_path: Path, client: HubClient
) -> None:
    release(target(tmp_path), 1, FIRST)
    repo = tmp_path / MODEL
    blob = (repo / "snapshots" / ONE / "config.json").readlink().name
    theirs = repo / "snapshots" / THREE
    theirs.mkdir()
    (theirs / "config.json").symlink_to(f"../../blobs/{blob}")
    (repo / "refs" / "mine").write_text(THREE)
    pruning = target(tmp_path, 1)
    release(pruning, 2, SECOND)
    assert (theirs / "config.json").read_bytes() == b"{}"
    assert not (repo / "snapshots" / ONE).exists()
    assert client.scan(tmp_path).warnings == []
    assert stayed(pruning) == []


def test_a_revision_with_a_file_of_somebody_else_stays_whole(
    tmp_path: Path, client: HubClient
) -> None:
    release(target(tmp_path), 1, FIRST)
    (tmp_path / MODEL / "snapshots" / ONE / "mine.json").write_bytes(b"mine")
    pruning = target(tmp_path, 1)
    release(pruning, 2, SECOND)
    where = {"cache_dir": str(tmp_path), "revision": ONE}
    found = contents(client.snapshot("org/model", **where))
    assert found == {**OLD, "mine.json": b"mine"}
    assert stayed(pruning) == [
        f"snapshots/{ONE}/mine.json: was not published like this, its revision stays"
    ]
    assert client.scan(tmp_path).warnings == []


def test_a_revision_that_a_ref_of_somebody_else_leads_to_stays(
    tmp_path: Path, client: HubClient
) -> None:
    release(target(tmp_path), 1, FIRST)
    (tmp_path / MODEL / "refs" / "mine").write_text(ONE)
    pruning = target(tmp_path, 1)
    release(pruning, 2, SECOND)
    where = {"cache_dir": str(tmp_path), "revision": "mine"}
    assert contents(client.snapshot("org/model", **where)) == OLD
    assert stayed(pruning) == [f"snapshots/{ONE}: a ref leads to it"]
    assert client.scan(tmp_path).warnings == []


def test_a_ref_that_was_moved_here_stays(tmp_path: Path, client: HubClient) -> None:
    release(target(tmp_path), 1, FIRST)
    (tmp_path / MODEL / "refs" / "pr" / "1").write_text(TWO)
    pruning = target(tmp_path, 1)
    release(pruning, 2, SECOND)
    assert stayed(pruning) == ["refs/pr/1: changed since it was published"]
    assert client.scan(tmp_path).warnings == []


def test_a_kept_revision_loses_the_names_it_has_no_longer(
    tmp_path: Path, client: HubClient
) -> None:
    release(target(tmp_path), 1, FIRST)
    fewer = {"config.json": OLD["config.json"]}
    pruning = target(tmp_path, 1)
    release(pruning, 2, repository({ONE: fewer}, {"main": ONE}))
    assert contents(client.snapshot("org/model", cache_dir=str(tmp_path))) == fewer
    assert len(list((tmp_path / MODEL / "blobs").iterdir())) == 1
    assert client.scan(tmp_path).warnings == []


def test_a_blob_that_is_not_what_it_was_stays_and_is_named(tmp_path: Path) -> None:
    release(target(tmp_path), 1, FIRST)
    blob = (tmp_path / MODEL / "snapshots" / ONE / "config.json").resolve()
    blob.write_bytes(b"something else")
    pruning = target(tmp_path, 1)
    release(pruning, 2, SECOND)
    assert blob.read_bytes() == b"something else"
    assert stayed(pruning) == [f"blobs/{blob.name}: changed since it was published"]


def test_a_repository_whose_kept_recipe_is_lost_is_left_alone(tmp_path: Path) -> None:
    release(target(tmp_path), 1, FIRST)
    release(target(tmp_path), 2, SECOND)
    shutil.rmtree(tmp_path / ".locks" / ".bundle" / "recipes")
    before = names(tmp_path)
    pruning = target(tmp_path)
    prune(pruning, 1)
    assert names(tmp_path) == before
    assert pruning.pruned is not None
    assert "a recipe of it is lost" in pruning.pruned.stayed[0]
    assert [one.seq for one in pruning.ledger.releases()] == [1, 2]


def _cuts(client: HubClient, tmp_path: Path, count: int | None, *, copy: bool) -> None:
    """Cut the power while a release that is there is pruned; then prune again."""
    base, root = tmp_path / "base", tmp_path / "run"
    release(target(base, copy=copy), 1, FIRST, OTHER)
    release(target(base, copy=copy), 2, SECOND)

    def fresh() -> HuggingFaceTarget:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(base, root, symlinks=True)
        return target(root, copy=copy)

    watch = Interruption()
    whole = fresh()
    with watch.armed():
        prune(whole, 1)
    wanted = names(root)
    calls = list(range(1, watch.calls + 1))
    if count is not None:
        calls = sorted(random.Random(7).sample(calls, count))
    for at in calls:
        cut = fresh()
        with Interruption(at).armed(), suppress(PowerCut):
            prune(cut, 1)
        bury(cut)
        where = {"cache_dir": str(root)}
        assert contents(client.snapshot("org/model", **where)) == NEW
        assert wanted <= names(root)
        old = root / MODEL / "snapshots" / ONE
        assert not old.exists() or contents(old) == OLD
        prune(target(root, copy=copy), 1)
        assert names(root) == wanted
        assert client.scan(root).warnings == []


@pytest.mark.parametrize("copy", [False, True], ids=["links", "copies"])
def test_a_power_cut_leaves_a_cache_that_loads(
    tmp_path: Path, client: HubClient, *, copy: bool
) -> None:
    _cuts(client, tmp_path, SLICE, copy=copy)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("copy", [False, True], ids=["links", "copies"])
def test_every_power_cut_leaves_a_cache_that_loads(
    tmp_path: Path, client: HubClient, *, copy: bool
) -> None:
    _cuts(client, tmp_path, None, copy=copy)
