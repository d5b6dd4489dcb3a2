"""Attacks of the published kit, laid out for a receiver below ``scratch``."""

from __future__ import annotations

import asyncio
import dataclasses
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bundle.format.stream import serialize_entry
from bundle.progress import Reporter
from bundle.target.hf_cache import HuggingFaceTarget
from bundle.target.tree import TreeTarget
from bundle.unpacker import UnpackRequest, unpack
from spec.vectors.generate import HERE
from spec.vectors.generator.container import Vector, parse
from tests.bundles import snapshot, write_tree
from tests.vectors.directories import Medium, medium
from tests.vectors.trust import files_of

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.target.base import Target

ATTACKS = HERE / "attacks"
BEFORE = {"mine": b"not yours", "config.json": b"the one before\n"}


def load(path: Path) -> Vector:
    """Return the vector of an attack's directory."""
    return dataclasses.replace(parse((path / "attack").read_text()), name=path.name)


@dataclass(frozen=True)
class Scene:
    """A receiver with something published, and an attack before it."""

    vector: Vector
    laid: Medium
    scratch: Path

    @property
    def target(self) -> Target:
        """The target that the attack is aimed at."""
        if self.vector.given.get("target") == "hf-cache":
            path = self.laid.target
            location = f"hf-cache:{path}"
            return HuggingFaceTarget(location, path, home=False, copy=False)
        return TreeTarget(self.laid.target)

    def verify(self) -> None:
        self.laid.verify()

    def unpack(self) -> None:
        request = UnpackRequest(
            bundle=self.laid.bundle,
            targets=(self.target,),
            trust=self.laid.choice,
            clock=lambda: self.laid.clock,
            jobs=1,
            stream=self._stream(),
        )
        asyncio.run(unpack(request, Reporter()))

    def _stream(self) -> io.BytesIO | None:
        if self.vector.kind != "stream":
            return None
        files, whole = files_of(self.vector, HERE), b""
        for name in self.vector.given["entries"]:
            data = files[name] if name else b""
            assert isinstance(data, bytes)
            whole += serialize_entry(name, len(data)) + data
        return io.BytesIO(whole[: self.vector.given.get("size")])

    def everything(self) -> dict[str, Any]:
        """Return all there is but the kept trust and the log of what was decided.

        Good files may extend the one, and every refusal the other.
        """
        # A crowd is thousands of names: what was put there is known.
        crowd = self.vector.given.get("crowd")
        return {
            name: kind
            for name, kind in snapshot(self.scratch).items()
            if not name.startswith(("state/trust", "state/a"))
            and not (crowd and name.startswith(f"bundle/{crowd}/"))
        }


def stage(vector: Vector, scratch: Path) -> Scene:
    """Lay an attack out, after whatever the receiver read before."""
    laid = medium(vector, HERE, scratch)
    write_tree(laid.target, BEFORE)
    for number, name in enumerate(vector.given.get("before", ())):
        earlier = parse((HERE / name).read_text())
        elsewhere = medium(earlier, HERE, scratch / f"before-{number}")
        request = UnpackRequest(
            bundle=elsewhere.bundle,
            targets=(TreeTarget(laid.target),),
            trust=laid.choice,
            clock=lambda: laid.clock,
            jobs=1,
        )
        asyncio.run(unpack(request, Reporter()))
    write_tree(scratch / "outside", {"sentinel": b"as it was"})
    return Scene(vector, laid, scratch)
