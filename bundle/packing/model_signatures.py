"""OpenSSF model signatures: carried like any file, checked where their tool is there.

A model may bring ``model.sig``, which its maker signed over all other files. Whether it
holds is for the reviewer, so the outcome becomes a note or a warning of the artifact:
checked with a key that the packer was given, or not checked and why. The tool reads
the files by itself, under the names that they have in the model.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bundle.packing.listing import Listing
    from bundle.source.base import SourceArtifact, SourceFile

SIGNATURE: Final = "model.sig"
"""What the tool calls a signature where it is told nothing else."""

TOOL: Final = "model_signing"

_SHOWN: Final = 300
_WHAT: Final = "an OpenSSF model signature"


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """What to check model signatures with: the tool, and a maker's public key.

    Either is None where there is none.
    """

    tool: str | None = None
    key: Path | None = None


async def with_model_signatures(listing: Listing, check: ModelCheck) -> Listing:
    """Return ``listing`` with a note or a warning for every model signature in it."""
    artifacts, warned = [], []
    for artifact in listing.artifacts:
        notes, warnings = await _told(artifact, check)
        artifacts.append(
            replace(
                artifact,
                notes=artifact.notes + notes,
                warnings=artifact.warnings + warnings,
            )
        )
        warned += [f"{artifact.name}: {warning}" for warning in warnings]
    return replace(
        listing,
        artifacts=tuple(artifacts),
        warnings=(*listing.warnings, *warned),
    )


async def _told(
    artifact: SourceArtifact, check: ModelCheck
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    notes, warnings = [], []
    for place, files in _signed(artifact).items():
        path = f"{place}/{SIGNATURE}".removeprefix("./")
        if check.tool is None:
            notes.append(f"{path}: {_WHAT}, not checked: {TOOL} is not installed")
        elif check.key is None:
            notes.append(f"{path}: {_WHAT}, not checked: no key, see --model-key")
        else:
            failure = await _verify(files, check.tool, check.key)
            key = check.key.name
            if failure is None:
                notes.append(
                    f"{path}: {_WHAT}, verified with {key} "
                    "(it never covers files called .git…)"
                )
            else:
                warnings.append(f"{path}: does NOT verify with {key}: {failure}")
    return tuple(map(_shown, notes)), tuple(map(_shown, warnings))


def _signed(artifact: SourceArtifact) -> dict[str, dict[str, SourceFile]]:
    """Return the files beside and below each signature, by their paths from there."""
    places = [
        str(PurePosixPath(file.path).parent)
        for file in artifact.files
        if PurePosixPath(file.path).name == SIGNATURE
    ]
    found: dict[str, dict[str, SourceFile]] = defaultdict(dict)
    for place in places:
        start = "" if place == "." else f"{place}/"
        for file in artifact.files:
            if file.path.startswith(start):
                found[place][file.path.removeprefix(start)] = file
    return found


async def _verify(files: Mapping[str, SourceFile], tool: str, key: Path) -> str | None:
    """Return why a signature does not verify, None where it does."""
    with tempfile.TemporaryDirectory(prefix="bundle-model-") as name:
        directory = Path(name)
        try:
            await asyncio.to_thread(_lay_out, directory, files)
        except TypeError as error:
            return str(error)
        command = (
            *(tool, "verify", "key", "--public_key", str(key)),
            *("--signature", str(directory / SIGNATURE), "--allow_symlinks", name),
        )
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        except OSError as error:
            return f"{tool}: {error.strerror}"
        try:
            output, _ = await process.communicate()
        except BaseException:
            process.kill()
            await process.wait()
            raise
    if process.returncode == 0:
        return None
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else f"{TOOL} ended with {process.returncode}"


def _lay_out(directory: Path, files: Mapping[str, SourceFile]) -> None:
    """Make a view of a model in which every file has its own name.

    Raises:
        TypeError: a file is neither on disk nor in memory.
    """
    for name, file in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(file.content, Path):
            path.symlink_to(file.content.resolve())
        elif isinstance(file.content, bytes):
            path.write_bytes(file.content)
        else:
            raise TypeError(f"{name} is inside another file")


def _shown(text: str) -> str:
    """Return ``text`` as one line that a release can hold."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


UNCHECKED: Final = ModelCheck()
"""Where nothing is checked, and the notes say so."""
