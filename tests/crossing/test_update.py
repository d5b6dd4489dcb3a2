"""A new revision arrives: the old one loads before, during and after."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.caches import commit_of, real_model, repository, small_model
from tests.clients import HubClient
from tests.crossing.gap import fill, open_gap
from tests.crossing.loading import check_loads, check_scan, is_same

if TYPE_CHECKING:
    from pathlib import Path

    from tests.crossing.gap import Gap

OLD, NEW = small_model("of old"), small_model("of now")
BEFORE = repository(OLD, refs={"v1": commit_of(OLD)})
AFTER = repository(NEW, older=[OLD], refs={"v1": commit_of(OLD), "v2": commit_of(NEW)})
COPIES = pytest.mark.parametrize("copy", [False, True], ids=["links", "copies"])
SCHEMES = pytest.mark.parametrize("scheme", ["hf-home", "hf-cache"])


def stamps(root: Path) -> dict[str, tuple[int, ...]]:
    """Return every name below ``root``, itself too, and what any write changes."""
    found: dict[str, tuple[int, ...]] = {}
    for path in (root, *sorted(root.rglob("*"))):
        status = path.lstat()
        found[path.relative_to(root).as_posix()] = (
            status.st_mode,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )
    return found


def released(gap: Gap) -> tuple[Path, Path]:
    """Pack the old revision, then the new one beside it."""
    fill(gap, [BEFORE])
    first = gap.pack()
    fill(gap, [AFTER])
    return first, gap.pack()


@SCHEMES
@COPIES
def test_a_second_unpack_writes_nothing_and_says_so(
    tmp_path: Path, scheme: str, *, copy: bool
) -> None:
    gap = open_gap(tmp_path)
    pvc = gap.inside.home / "pvc"
    options = ["--copy"] if copy else []
    for bundle in released(gap):
        gap.publish(bundle, f"{scheme}:{pvc}", copy=copy)
        before = stamps(pvc)
        result = gap.publish(bundle, f"{scheme}:{pvc}", copy=copy).result
        assert (result["writtenFiles"], result["writtenBytes"]) == (0, 0)
        again = gap.inside.ok("unpack", bundle, "--to", f"{scheme}:{pvc}", *options)
        assert any(
            "nothing to write, all of it is there" in line for line in again.lines
        )
        assert stamps(pvc) == before


@COPIES
def test_the_old_revision_loads_and_the_new_one_takes_over(
    tmp_path: Path, *, copy: bool
) -> None:
    gap = open_gap(tmp_path)
    first, second = released(gap)
    pvc = gap.inside.home / "pvc"
    gap.publish(first, f"hf-home:{pvc}", copy=copy)
    with HubClient(home=pvc) as server:
        check_loads(server, BEFORE)
        kept = stamps(pvc / "hub" / BEFORE.directory / "snapshots" / commit_of(OLD))
        result = gap.publish(second, f"hf-home:{pvc}", copy=copy).result
        check_loads(server, AFTER)
        check_loads(server, replace(BEFORE, refs={"v1": commit_of(OLD)}))
        check_scan(server.scan(), AFTER)
    after = stamps(pvc / "hub" / BEFORE.directory / "snapshots" / commit_of(OLD))
    assert after == kept
    assert result["keptFiles"] >= len(OLD)


def test_a_server_keeps_what_it_has_open(tmp_path: Path) -> None:
    """What a running server has mapped is never written to and never removed."""
    gap = open_gap(tmp_path)
    first, second = released(gap)
    pvc = gap.inside.home / "pvc"
    gap.publish(first, f"hf-home:{pvc}")
    with HubClient(home=pvc) as server:
        weights = server.file(BEFORE.name, "model.safetensors")
        with weights.open("rb") as mapped:
            inode = os.fstat(mapped.fileno()).st_ino
            gap.publish(second, f"hf-home:{pvc}")
            assert mapped.read() == OLD["model.safetensors"]
            assert weights.stat().st_ino == inode


def test_a_release_without_the_old_revision_leaves_it_where_it_is(
    tmp_path: Path,
) -> None:
    gap = open_gap(tmp_path)
    pvc = gap.inside.home / "pvc"
    fill(gap, [BEFORE])
    gap.unpack(gap.pack(), f"hf-home:{pvc}")
    fill(gap, [AFTER])
    only_new = gap.pack(f"hf-cache:{gap.hub}#{AFTER.name}@main")
    gap.unpack(only_new, f"hf-home:{pvc}")
    with HubClient(home=pvc) as client:
        check_loads(client, AFTER)


def test_an_older_release_is_not_put_back(tmp_path: Path) -> None:
    gap = open_gap(tmp_path)
    first, second = released(gap)
    pvc = gap.inside.home / "pvc"
    gap.publish(second, f"hf-home:{pvc}")
    before = stamps(pvc)
    ran = gap.inside("unpack", first, "--to", f"hf-home:{pvc}", "--json")
    assert ran.code == 12
    assert ran.error["rule"] == "23.2.1"
    assert stamps(pvc) == before


def test_a_new_revision_of_the_real_model_writes_only_what_differs(
    tmp_path: Path,
) -> None:
    gap = open_gap(tmp_path)
    card = real_model()
    old = repository(card, name="sentence-transformers/all-MiniLM-L6-v2")
    text = (old.commits[old.refs["main"]]["README.md"]).read_bytes()  # type: ignore[union-attr]
    changed = {**card, "README.md": text + b"\nReviewed.\n"}
    new = repository(changed, name=old.name, older=[card])
    pvc = gap.inside.home / "pvc"
    fill(gap, [old])
    gap.publish(gap.pack(), f"hf-home:{pvc}")
    fill(gap, [new])
    second = gap.pack()
    result = gap.publish(second, f"hf-home:{pvc}").result
    assert result["writtenBytes"] < 50_000
    with HubClient(home=pvc) as client:
        check_loads(client, new)
        weights = client.file(new.name, "model.safetensors")
        assert is_same(weights, card["model.safetensors"])
    before = stamps(pvc)
    assert gap.publish(second, f"hf-home:{pvc}").result["writtenFiles"] == 0
    assert stamps(pvc) == before
