"""The real huggingface_hub, asked from the outside.

A client runs in a process of its own, under any Python and any version of the
library, without a network (HF_HUB_OFFLINE=1), and answers questions sent to it as
lines of JSON. This file is both ends: run as a program it is the client.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


class ClientError(Exception):
    """The library raised; ``kind`` is the name of its exception."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


@dataclass(frozen=True)
class Scan:
    """What ``scan_cache_dir`` found."""

    repositories: dict[str, dict[str, list[str]]]
    """For ``type/name`` the refs of each revision."""

    warnings: list[str]


class HubClient:
    """A running client; use it in a ``with`` statement."""

    def __init__(
        self,
        *,
        home: Path | None = None,
        cache: Path | None = None,
        python: str | Path = sys.executable,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        variables = {"HF_HUB_OFFLINE": "1", "PATH": os.environ.get("PATH", "")}
        if home is not None:
            variables["HF_HOME"] = str(home)
        if cache is not None:
            variables["HF_HUB_CACHE"] = str(cache)
        self._process = subprocess.Popen(
            [str(python), "-I", str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**variables, **(environment or {})},
            text=True,
        )

    def __enter__(self) -> Self:
        self.version()  # a client that cannot start must not look like one that fails
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()

    def ask(self, question: str, **arguments: object) -> Any:  # noqa: ANN401 - JSON
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([question, arguments]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise ClientError(*answer["error"])
        return answer["result"]

    def version(self) -> str:
        return str(self.ask("version"))

    def snapshot(self, repo_id: str, **arguments: object) -> Path:
        """Call ``snapshot_download``; return the directory."""
        return Path(self.ask("snapshot", repo_id=repo_id, **arguments))

    def file(self, repo_id: str, filename: str, **arguments: object) -> Path:
        """Call ``hf_hub_download``; return the file."""
        return Path(self.ask("file", repo_id=repo_id, filename=filename, **arguments))

    def cached(self, repo_id: str, filename: str, **arguments: object) -> str | None:
        """Call ``try_to_load_from_cache``; a path, "no such file", or None."""
        found = self.ask("cached", repo_id=repo_id, filename=filename, **arguments)
        return None if found is None else str(found)

    def scan(self, cache_dir: Path | None = None) -> Scan:
        """Call ``scan_cache_dir``."""
        answer = self.ask("scan", cache_dir=str(cache_dir) if cache_dir else None)
        return Scan(answer["repositories"], answer["warnings"])


def contents(directory: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a directory, links followed."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if not path.is_dir()
    }


def _answer(question: str, arguments: dict[str, Any]) -> object:
    import huggingface_hub as hub  # noqa: PLC0415 - only in the client's process

    if question == "version":
        return hub.__version__
    if question == "snapshot":
        return hub.snapshot_download(**arguments)
    if question == "file":
        return hub.hf_hub_download(**arguments)
    if question == "cached":
        found = hub.try_to_load_from_cache(**arguments)
        return found if found is None or isinstance(found, str) else "no such file"
    found = hub.scan_cache_dir(**arguments)
    return {
        "repositories": {
            f"{repo.repo_type}/{repo.repo_id}": {
                revision.commit_hash: sorted(revision.refs)
                for revision in repo.revisions
            }
            for repo in found.repos
        },
        "warnings": [str(warning) for warning in found.warnings],
    }


def _serve() -> None:
    for line in sys.stdin:
        try:
            answer = {"result": _answer(*json.loads(line))}
        except Exception as error:  # noqa: BLE001 - whatever it is, the test sees it
            answer = {"error": [type(error).__name__, str(error)]}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
