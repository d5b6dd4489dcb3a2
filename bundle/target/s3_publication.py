"""How the files of one artifact get into a bucket with as few bytes as may be.

A content that an object has already is copied by the server; a large file that
changed is put together out of the runs that did not and parts that are sent. Where
the server can do neither, everything is sent. Whichever way it went, the object is
looked at again: its size and our SHA-256.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable  # noqa: TC003 - fields are read at run time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.durable import target_errors
from bundle.errors import NotFoundError, TransientError
from bundle.flow.together import together
from bundle.format.recipe_layout import Mode
from bundle.limits import MIB
from bundle.s3.bucket import AT_ONCE
from bundle.s3.client import SHA256
from bundle.s3.failures import SmallPartError, UnsupportedError
from bundle.s3.parts import COPY_PART, SEND_PART, Copy, Send, plan_parts
from bundle.s3.upload import Content, Uploads
from bundle.target.base import Published

if TYPE_CHECKING:
    from bundle.s3.client import S3Client
    from bundle.s3.probe import Probe
    from bundle.target.base import Staged
    from bundle.target.s3_inventory import Inventory
    from bundle.target.s3_layout import Spot
    from bundle.target.s3_plan import Plan
    from bundle.target.s3_runs import RunFinder

EXECUTABLE: Final = "bundle-executable"
"""The metadata of a file that may be run (rule 92.1.3)."""

_STEP: Final = 8 * MIB


@dataclass(slots=True)
class Ways:
    """The means by which a run publishes, shared by all its artifacts."""

    client: S3Client
    inventory: Inventory
    uploads: Uploads
    probe: Probe
    aside: Callable[[], Path]
    """Returns the directory for what is fetched only to be sent again."""


class Publication:
    """Puts one artifact; ``finder`` knows the runs of what is there."""

    def __init__(
        self, ways: Ways, plan: Plan, staged: Staged, finder: RunFinder | None
    ) -> None:
        self._ways = ways
        self._plan = plan
        self._staged = staged
        self._finder = finder
        self._replaced = {spot.path for spot in plan.spots} - plan.there

    async def run(self) -> Published:
        """Put the files, then the refs; return what was done.

        Raises:
            TargetError: the bucket does not take it.
            StoreError: the endpoint does not answer any more; the same call may be
                made again.
        """
        plan = self._plan
        indices = {spot.index for spot in plan.spots}
        written = {spot.index for spot in plan.spots if spot.path not in plan.there}
        for late in (False, True):
            await together(self._bring, plan.left(late=late).values(), AT_ONCE)
        return Published(
            written_files=len(written),
            kept_files=len(indices - written),
            written_bytes=sum(int(plan.recipe.sizes[index]) for index in written),
        )

    async def _bring(self, spots: list[Spot]) -> None:
        """Put one content at all its spots; the first is the source of the others."""
        plan = self._plan
        content = plan.sha256(spots[0])
        for spot in spots:
            size = plan.size(spot)
            source = plan.sources.get(content)
            if source is not None and size:
                await self._copy(source, spot)
            else:
                await self._send(spot, next(filter(None, map(self._path, spots)), None))
                plan.sources[content] = spot.path
            plan.there.add(spot.path)
            self._ways.inventory.note(spot.path, size, content)

    def _path(self, spot: Spot) -> Path | None:
        return self._staged(spot.index)

    def _held(self, spot: Spot) -> dict[str, str]:
        """Return the metadata of a file, but for its SHA-256."""
        runs = self._plan.recipe.modes[spot.index] == Mode.EXECUTABLE
        return {EXECUTABLE: "yes"} if runs else {}

    async def _send(self, spot: Spot, path: Path | None) -> None:
        """Put a file that is staged, or has no bytes."""
        ways, plan = self._ways, self._plan
        size, key = plan.size(spot), ways.inventory.key(spot.path)
        if not size:
            await ways.client.put_object(key, b"", metadata=self._held(spot))
            return
        if path is None:
            raise self._changed(spot)
        content = Content(path, size, plan.sha256(spot))
        parts = await self._parts(spot) if size > SEND_PART else []
        if any(isinstance(part, Copy) for part in parts):
            try:
                await ways.uploads.compose(key, content, parts, self._held(spot))
            except (UnsupportedError, SmallPartError, NotFoundError):
                pass
            else:
                return
        await ways.uploads.send(key, content, self._held(spot))

    async def _parts(self, spot: Spot) -> list[Copy | Send]:
        """Return the parts of a large file, some of them copied where that can be."""
        ways, plan = self._ways, self._plan
        finder = self._finder
        runs = [] if finder is None else finder.runs(plan.recipe, spot.index)
        usable = [
            replace(run, key=ways.inventory.key(run.key))
            for run in runs
            if run.key == spot.path or run.key not in self._replaced
        ]
        parts = plan_parts(plan.size(spot), usable)
        if any(isinstance(part, Copy) for part in parts):
            truth = await ways.probe.truth()
            return parts if truth.part_copy else []
        return parts

    async def _copy(self, source: str, spot: Spot) -> None:
        """Put a content that another object of the bucket has.

        Raises:
            TransientError: it has not any more.
        """
        ways, plan = self._ways, self._plan
        size, content = plan.size(spot), plan.sha256(spot)
        await ways.inventory.refresh(source)
        if not await ways.inventory.holds(source, size, content):
            raise self._changed(spot)
        held = {**self._held(spot), SHA256: content.hex()}
        taken, key = ways.inventory.key(source), ways.inventory.key(spot.path)
        try:
            if size <= COPY_PART:
                await ways.client.copy(taken, key, size, held)
            else:
                whole = Content(Path(), size, content)
                parts = plan_parts(size, [Copy(0, size, taken, 0)])
                await ways.uploads.compose(key, whole, parts, self._held(spot))
        except UnsupportedError:
            await self._fetch_and_send(source, spot)

    async def _fetch_and_send(self, source: str, spot: Spot) -> None:
        """Put a content through this machine, where the server cannot copy.

        Raises:
            TransientError: what arrived is not what it should be.
        """
        plan = self._plan
        path = self._ways.aside() / f"aside-{secrets.token_hex(8)}"
        size = plan.size(spot)
        digest = hashlib.sha256()
        try:
            with target_errors(path), path.open("xb") as file:
                for offset in range(0, size, _STEP):
                    length = min(_STEP, size - offset)
                    data = await self._ways.inventory.read(source, offset, length)
                    await asyncio.to_thread(digest.update, data)
                    await asyncio.to_thread(file.write, data)
            if digest.digest() != plan.sha256(spot):
                raise self._changed(spot)
            content = Content(path, size, plan.sha256(spot))
            key = self._ways.inventory.key(spot.path)
            await self._ways.uploads.send(key, content, self._held(spot))
        finally:
            path.unlink(missing_ok=True)

    def _changed(self, spot: Spot) -> TransientError:
        place = self._ways.client.place(self._ways.inventory.key(spot.path))
        return TransientError(
            f"{place}: the bucket changed while this run was publishing",
            advice="stop whatever else writes there and run again",
        )
