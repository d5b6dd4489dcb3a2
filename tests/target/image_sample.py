"""Images as an unpacker has them: an artifact, its recipe, and contents."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bundle.source.locate import parse_source
from tests.target.sample import Sample, sample

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.images import Layout


def image_samples(layout: Layout, scratch: Path) -> list[Sample]:
    """Return each image of a layout, which is written below ``scratch``."""
    path = layout.write(scratch)
    found = asyncio.run(parse_source(f"oci-layout:{path}").artifacts())
    return [
        of_files(
            artifact.kind,
            artifact.name,
            {file.path: _read(file.content) for file in artifact.files},
            revision=artifact.revision,
        )
        for artifact in found
    ]


def of_files(
    kind: str,
    name: str,
    files: Mapping[str, bytes],
    **changes: Any,  # noqa: ANN401 - fields of Artifact
) -> Sample:
    """Return an artifact with these files, whatever they are."""
    made = sample(kind, name, files, large=[*files])
    return replace(made, artifact=msgspec.structs.replace(made.artifact, **changes))


def _read(content: object) -> bytes:
    if isinstance(content, bytes):
        return content
    assert isinstance(content, Path)
    return content.read_bytes()
