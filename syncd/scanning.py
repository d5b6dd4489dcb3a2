"""A command that looks at files on their way before they are published.

It is run as it is configured, word by word and never by a shell, with no input and
little of the environment. What it ends with is its word: 0 for clean. The files are
those that were verified: if it changes one, nothing is published either.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING, Final

from bundle.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MAX_SAID: Final = 8192
"""Bytes of the end of what a scan says that are looked at."""

MAX_REASON: Final = 400
"""Characters of its last line that are repeated."""

PASSED_ON: Final = ("PATH", "HOME", "LANG", "TMPDIR")
"""Variables that the command gets; those with secrets are not among them."""

_ADVICE: Final = (
    "nothing of the release was published there; find out what the scan means, and ask "
    "the sender"
)


async def scan(
    command: Sequence[str],
    directory: Path,
    seconds: float,
    environment: Mapping[str, str],
) -> None:
    """Run ``command`` over the files in ``directory``; ``{}`` in a word stands for it.

    Raises:
        TargetError: it did not end with 0, not in time, or changed a file; the last
            line that it said is the reason.
    """
    words = [one.replace("{}", str(directory)) for one in command]
    before = await asyncio.to_thread(_files, directory)
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            env={key: environment[key] for key in PASSED_ON if key in environment},
        )
    except OSError as error:
        raise TargetError(
            f"the scan cannot be run: {words[0]}: {error.strerror}",
            advice="mend the command 'scan' of the target",
        ) from error
    try:
        async with asyncio.timeout(seconds):
            said = await _said(process)
            code = await process.wait()
    except TimeoutError:
        raise TargetError(
            f"the scan took more than {seconds:,.0f} s and was stopped",
            advice="raise scan_seconds, or find out why it takes so long",
        ) from None
    finally:
        await _end(process)
    if code:
        raise TargetError(f"the scan refused it: {_reason(said, code)}", advice=_ADVICE)
    if await asyncio.to_thread(_files, directory) != before:
        raise TargetError(
            "the scan changed what it looked at",
            advice="let it only report; what is published is what was signed",
        )


async def _said(process: asyncio.subprocess.Process) -> bytes:
    """Return the end of what a command says, which it may do at any length."""
    said = b""
    while process.stdout and (data := await process.stdout.read(MAX_SAID)):
        said = (said + data)[-MAX_SAID:]
    return said


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a command with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _reason(said: bytes, code: int) -> str:
    """Return the last line that was said, fit to be shown, or the exit code."""
    lines = said.decode("utf-8", "replace").split("\n")
    last = next((one.strip() for one in reversed(lines) if one.strip()), "")
    shown = "".join(one if one.isprintable() else "?" for one in last)[:MAX_REASON]
    return shown or f"it ended with {code}"


def _files(directory: Path) -> dict[str, tuple[int, int, int]]:
    """Return how the files of a directory look: size, time, inode."""
    found = {}
    for entry in os.scandir(directory):
        status = entry.stat(follow_symlinks=False)
        found[entry.name] = (status.st_size, status.st_mtime_ns, status.st_ino)
    return found
