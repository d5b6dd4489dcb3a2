"""Stores against a model of dictionaries: any order of calls, the same answers."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bundle.errors import MissingError, NotFoundError
from bundle.store.base import Committed, Retention
from bundle.store.check import check
from bundle.store.local import LocalStore
from bundle.store.memory import MemoryStore
from bundle.store.s3_check import check as check_objects
from tests.bundles import no_flushing
from tests.store.contents import chunk, digest, recipe_of, release, rows
from tests.store.shelf import at_once, store_on
from tests.store.suite import ids_in

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from bundle.store.base import Store

_T = TypeVar("_T")
NUMBERS = st.lists(st.integers(0, 12), min_size=1, max_size=6)


class StoreMachine(RuleBasedStateMachine):
    """Calls on a store and on a model; ``store`` is made afresh for each run."""

    store: Store

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.chunks: dict[bytes, bytes] = {}
        self.recipes: dict[str, list[bytes]] = {}
        self.releases: dict[str, Committed] = {}
        self.generation = 1
        self.make()

    def make(self) -> None:
        self.store = MemoryStore()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.run(self.loop.shutdown_default_executor())
        self.loop.close()

    @rule(numbers=NUMBERS)
    def put(self, numbers: list[int]) -> None:
        chunks = [chunk(number, 40 + number) for number in numbers]
        ids = self.run(self.store.put(chunks))
        assert ids.tobytes() == rows(chunks).tobytes()
        for row, data in zip(ids, chunks, strict=True):
            self.chunks[row.tobytes()] = data

    @rule(numbers=NUMBERS)
    def put_recipe(self, numbers: list[int]) -> None:
        chunks = [chunk(number, 40 + number) for number in numbers]
        recipe = recipe_of(chunks)
        assert self.run(self.store.put_recipe(recipe)) == digest(recipe)
        self.recipes[digest(recipe)] = chunks

    @precondition(lambda self: self.recipes)
    @rule(data=st.data(), seq=st.integers(1, 6))
    def commit(self, data: st.DataObject, seq: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.recipes)))
        chunks = self.recipes[name]
        wanted = release(seq, [recipe_of(chunks)])
        if all(row.tobytes() in self.chunks for row in rows(chunks)):
            self.run(self.store.commit(wanted))
            self.releases[wanted.digest] = wanted
        else:
            with pytest.raises(MissingError):
                self.run(self.store.commit(wanted))

    @rule(keep=st.integers(1, 3), dry_run=st.booleans(), data=st.data())
    def collect(self, keep: int, data: st.DataObject, *, dry_run: bool) -> None:
        pins = data.draw(st.sets(st.sampled_from([*sorted(self.releases), ""])))
        retention = Retention(keep, frozenset(pins - {""}))
        self.run(self.store.collect(retention, dry_run=dry_run))
        if dry_run:
            return
        self.generation += 1
        newest = sorted(self.releases.values(), key=lambda one: (one.seq, one.digest))
        kept = {one.digest for one in newest[-keep:]} | pins
        self.releases = {one.digest: one for one in newest if one.digest in kept}
        used = {name for one in self.releases.values() for name in one.recipes}
        self.recipes = {name: self.recipes[name] for name in used}
        # A store may hold on to what shares a pack with something in use.
        held = set(self.run(ids_in(self.store)))
        needed = {row.tobytes() for name in used for row in rows(self.recipes[name])}
        assert needed <= held <= self.chunks.keys()
        self.chunks = {one: self.chunks[one] for one in held}

    @rule(number=st.integers(0, 12))
    def read(self, number: int) -> None:
        (row,) = rows([chunk(number, 40 + number)])
        if row.tobytes() in self.chunks:
            assert self.run(self.store.read(row.tobytes())) == chunk(
                number, 40 + number
            )
        else:
            with pytest.raises(NotFoundError):
                self.run(self.store.read(row.tobytes()))

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        asked = [chunk(number, 40 + number) for number in range(13)]
        held = self.run(self.store.has_many(rows(asked)))
        expected = [row.tobytes() in self.chunks for row in rows(asked)]
        assert held.tolist() == expected

    @invariant()
    def lists_releases(self) -> None:
        found = self.run(self.store.releases())
        assert {one.digest for one in found} == self.releases.keys()
        assert self.run(self.store.identity()).generation == self.generation


class LocalMachine(StoreMachine):
    """The same on a directory, with a process that ends now and then."""

    root: ClassVar[Path]

    def make(self) -> None:
        self.path = Path(tempfile.mkdtemp(dir=self.root)) / "store"
        self.local = LocalStore.make(self.path)
        self.store = self.local

    @rule()
    def open_again(self) -> None:
        self.local.close()
        self.local = LocalStore(self.path)
        self.store = self.local

    @rule(rebuild=st.booleans(), quick=st.booleans())
    def check(self, *, rebuild: bool, quick: bool) -> None:
        self.local.close()
        checked = check(self.local, rebuild=rebuild, quick=quick)
        assert (checked.problems, checked.lost) == ((), ())
        self.generation += rebuild

    def teardown(self) -> None:
        self.local.close()
        super().teardown()


class ShelfMachine(StoreMachine):
    """The same on a bucket in memory, with a machine that loses its copies."""

    root: ClassVar[Path]

    def make(self) -> None:
        self.path = Path(tempfile.mkdtemp(dir=self.root))
        self.objects: dict[str, bytes] = {}
        self.bucket_store = store_on(self.objects, self.path / "first")
        self.store = self.bucket_store
        self.run(self.bucket_store.make())

    @rule(kept=st.booleans(), name=st.sampled_from(["first", "second"]))
    def another_machine(self, name: str, *, kept: bool) -> None:
        if not kept:
            shutil.rmtree(self.path / name, ignore_errors=True)
        self.bucket_store = store_on(self.objects, self.path / name)
        self.store = self.bucket_store

    @rule(rebuild=st.booleans(), quick=st.booleans())
    def check(self, *, rebuild: bool, quick: bool) -> None:
        work = check_objects(self.bucket_store, rebuild=rebuild, quick=quick)
        checked = self.run(work)
        assert (checked.problems, checked.lost) == ((), ())
        self.generation += rebuild


@pytest.mark.timeout(120)
def test_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio, "to_thread", at_once)
    ShelfMachine.root = tmp_path
    with no_flushing():
        run_state_machine_as_test(
            ShelfMachine,
            settings=settings(max_examples=6, stateful_step_count=20, deadline=None),
        )


@pytest.mark.timeout(120)
def test_memory() -> None:
    run_state_machine_as_test(
        StoreMachine, settings=settings(max_examples=40, stateful_step_count=25)
    )


@pytest.mark.timeout(120)
def test_local(tmp_path: Path) -> None:
    LocalMachine.root = tmp_path
    with no_flushing():
        run_state_machine_as_test(
            LocalMachine,
            settings=settings(max_examples=12, stateful_step_count=25, deadline=None),
        )
