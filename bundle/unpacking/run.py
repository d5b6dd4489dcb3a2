"""One run over the volumes of an open bundle, for whoever unpacks or verifies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundle.flow.crew import break_off, work
from bundle.unpacking.stream import FrameStream
from bundle.unpacking.worker import Assembly, UnpackWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bundle.medium.files import ShardedFile
    from bundle.progress import Reporter
    from bundle.unpacking.contents import Contents
    from bundle.unpacking.sink import Sink


async def assemble(
    volumes: Sequence[ShardedFile],
    contents: Contents,
    sink: Sink,
    *,
    jobs: int,
    reporter: Reporter,
    watch: Callable[[str, bytes], None] | None = None,
) -> Assembly:
    """Put all ``contents`` together from one pass over ``volumes``.

    ``watch`` is given the name and the digest of each whole volume, if wanted.
    The caller asks the result whether everything is complete.

    Raises:
        IntegrityError, FormatError: the bundle is damaged or lies.
        StoreError: the medium cannot be read.
        TargetError: the sink cannot take it.
    """
    try:
        assembly = await begin(volumes, contents, sink, reporter, watch)
        await read_frames(assembly, jobs)
    finally:
        sink.close()
    return assembly


async def begin(
    volumes: Sequence[ShardedFile],
    contents: Contents,
    sink: Sink,
    reporter: Reporter,
    watch: Callable[[str, bytes], None] | None = None,
) -> Assembly:
    """Return an assembly with everything in it that needs no chunk.

    The caller feeds it, and closes ``sink`` whatever happens.

    Raises:
        IntegrityError: a recipe lies.
        TargetError: the sink cannot take it.
    """
    contents.settle()
    assembly = Assembly(FrameStream(volumes, watch), contents, sink, reporter)
    await break_off(assembly.begin, assembly.stop)
    return assembly


async def read_frames(assembly: Assembly, jobs: int) -> None:
    """Take every frame of the volumes through an assembly that has begun.

    Raises:
        IntegrityError, FormatError: the bundle is damaged or lies.
        StoreError: the medium cannot be read.
        TargetError: the sink cannot take it.
    """
    await work(jobs, lambda: UnpackWorker(assembly), assembly.turnstiles)
