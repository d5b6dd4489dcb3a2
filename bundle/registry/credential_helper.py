"""Programs that keep logins: ``docker-credential-NAME get``.

The registry goes in on its standard input; a document with a name and a secret
comes out.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
from typing import TYPE_CHECKING, Final

import msgspec

from bundle.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENCE: Final = 60.0
"""Seconds that a helper gets: it may ask a person or a network."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_NONE: Final = "credentials not found"


class _Answer(msgspec.Struct):
    username: str = msgspec.field(name="Username")
    secret: str = msgspec.field(name="Secret")


async def ask_helper(
    name: str, server: str, environment: Mapping[str, str]
) -> tuple[str, str] | None:
    """Return the name and the secret that a helper has for a server, or None.

    Raises:
        UsageError: there is no such helper, or it does not work.
    """
    program = f"docker-credential-{name}"
    if _NAME.fullmatch(name) is None:
        raise UsageError(f"{program!r} cannot be the name of a credential helper")
    path = shutil.which(program, path=environment.get("PATH"))
    if path is None:
        raise UsageError(
            f"{program}: not found, and a file of logins names it for {server}",
            advice="install it, or name another file with --auth-file",
        )
    code, said = await _run(path, server, environment)
    if code:
        if _NONE in said.decode(errors="replace"):
            return None
        raise UsageError(
            f"{program} get failed for {server} with exit code {code}",
            advice=f"try it: echo {server} | {program} get",
        )
    try:
        answer = msgspec.json.decode(said, type=_Answer)
    except msgspec.DecodeError:
        raise UsageError(f"{program} get: what it says is no login") from None
    return answer.username, answer.secret


async def _run(
    path: str, server: str, environment: Mapping[str, str]
) -> tuple[int, bytes]:
    """Return the exit code and what was said on the standard output."""
    try:
        process = await asyncio.create_subprocess_exec(
            path,
            "get",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(environment),
        )
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    try:
        async with asyncio.timeout(PATIENCE):
            said, _ = await process.communicate(server.encode())
    except TimeoutError:
        raise UsageError(f"{path}: no answer in {PATIENCE:.0f} seconds") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    return process.returncode or 0, said
