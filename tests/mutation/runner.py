"""Runs tests on mutants: ``python -m tests.mutation.runner [--list] GROUP…``.

Each mutant has a process of its own, a fork of one that has everything imported but
the package. The vectors are read first, since they are quick; what they let through
goes to the unit tests that are named beside each module.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generate import every
from spec.vectors.generator.container import parse
from tests.mutation.operators import Mutant, mutants

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from spec.vectors.generator.container import Vector

ROOT: Final = Path(__file__).parents[2]
TIMEOUT: Final = 300
"""Seconds of one mutant, after which it counts as noticed: it never ends."""


@dataclass(frozen=True)
class Group:
    """Modules, the kinds of vectors that go through them, and their tests."""

    modules: tuple[str, ...]
    kinds: tuple[str, ...]
    tests: tuple[str, ...]


GROUPS: Final = {
    "trust": Group(
        modules=tuple(
            f"bundle.trust.{path.stem}"
            for path in sorted((ROOT / "bundle" / "trust").glob("*.py"))
            if path.stem != "__init__"
        ),
        kinds=(
            *("envelope", "signature", "key", "private_key", "root", "trust"),
            *("enrolment", "policy", "receipt"),
        ),
        tests=(
            "tests/trust",
            "tests/state/test_receiver.py",
            "tests/attacks/test_history.py",
        ),
    ),
    "volume": Group(
        modules=(
            "bundle.format.volume",
            "bundle.format.frame",
            "bundle.format.index",
            "bundle.format.ending",
            "bundle.unpacking.stream",
            "bundle.medium.chunks",
            "bundle.medium.files",
        ),
        kinds=("volume_header", "frame", "index", "tail", "volume", "chunk"),
        tests=(
            *("tests/format/test_volume.py", "tests/format/test_frame.py"),
            *("tests/format/test_index.py", "tests/format/test_ending.py"),
            *("tests/medium/test_files.py", "tests/medium/test_volumes.py"),
            *("tests/unpacking/test_stream.py", "tests/attacks/test_signed_lies.py"),
        ),
    ),
}


@dataclass
class Score:
    """What became of the mutants of one module."""

    module: str
    made: int = 0
    survivors: list[str] = field(default_factory=list)

    @property
    def percent(self) -> float:
        """Mutants that were noticed, of a hundred."""
        return 100 * (1 - len(self.survivors) / self.made) if self.made else 100.0


def run(
    group: Group, modules: Sequence[str] = (), *, stride: int = 1, verbose: bool = False
) -> list[Score]:
    """Return the scores of a group's modules, or of some of them.

    ``stride`` takes every so many of the mutants.
    """
    if "bundle" in sys.modules:
        raise RuntimeError("the package is imported already: no mutant would be seen")
    _prepare()
    vectors = [
        vector
        for text in every().values()
        if (vector := parse(text)).kind in group.kinds and len(text) < 1 << 20
    ]
    scores = []
    for module in modules or group.modules:
        path = ROOT / f"{module.replace('.', '/')}.py"
        score = Score(module)
        asis = Mutant(0, "nothing", path.read_text())
        if not _survives(module, asis, vectors, group.tests):
            raise RuntimeError(f"{module}: the tests fail without any change")
        for number, mutant in enumerate(mutants(path.read_text())):
            if number % stride:
                continue
            score.made += 1
            if _survives(module, mutant, vectors, group.tests):
                score.survivors.append(f"{module}:{mutant.line}: {mutant.what}")
                if verbose:
                    _say(score.survivors[-1])
        scores.append(score)
        if verbose:
            noticed = score.made - len(score.survivors)
            _say(f"{module}: {noticed} of {score.made}")
    return scores


def _prepare() -> None:
    """Import what is large and not ours, once."""
    for name in (
        *("pytest", "numpy", "msgspec", "blake3", "zstandard", "tuf.api.metadata"),
        *("cryptography.hazmat.primitives.asymmetric.ed25519", "asyncio"),
        *("securesystemslib.signer", "huggingface_hub", "rich.console"),
    ):
        importlib.import_module(name)


def _survives(
    module: str, mutant: Mutant, vectors: Sequence[Vector], tests: Sequence[str]
) -> bool:
    """Return whether nothing notices a mutant."""
    child = os.fork()
    if not child:
        status = 1
        try:
            signal.alarm(TIMEOUT)
            with (
                Path(os.devnull).open("w") as nowhere,
                contextlib.redirect_stdout(nowhere),
                contextlib.redirect_stderr(nowhere),
            ):
                os.dup2(nowhere.fileno(), 1)
                os.dup2(nowhere.fileno(), 2)
                sys.meta_path.insert(0, _Mutated(module, mutant.source))
                status = 0 if _passes(vectors, tests) else 1
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return status == 0


def _passes(vectors: Sequence[Vector], tests: Sequence[str]) -> bool:
    """Return whether all vectors are read as before, and all tests pass."""
    import pytest  # noqa: PLC0415 - imported before the fork

    from bundle.errors import BundleError  # noqa: PLC0415 - after it
    from tests.vectors.readers import READERS  # noqa: PLC0415 - after it

    with tempfile.TemporaryDirectory() as directory:
        for number, vector in enumerate(vectors):
            scratch = Path(directory, str(number))
            scratch.mkdir()
            found: Any = None
            rule = ""
            code = 0
            try:
                found = READERS[vector.kind](vector, scratch)
            except BundleError as error:
                code, rule = error.exit_code, getattr(error, "rule", "")
            if code != vector.exit:
                return False
            if not code and vector.value is not None and found != vector.value:
                return False
            if code not in (0, 13) and rule != (vector.names or vector.rules[0]):
                return False
        arguments = [
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "--no-header",
        ]
        arguments += ["--basetemp", str(Path(directory, "tests"))]
        return pytest.main([*arguments, *(str(ROOT / one) for one in tests)]) == 0


class _Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module another source."""

    def __init__(self, name: str, source: str) -> None:
        self._name, self._source = name, source

    def find_spec(
        self, fullname: str, path: object, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if fullname != self._name:
            return None
        origin = str(ROOT / f"{fullname.replace('.', '/')}.py")
        return importlib.util.spec_from_loader(fullname, self, origin=origin)

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._source, f"<{self._name}>", "exec"), module.__dict__)  # noqa: S102 - that is the point


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Print the scores and the survivors of the groups that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("group", choices=[*GROUPS])
    parser.add_argument("module", nargs="*")
    parser.add_argument("--stride", type=int, default=1)
    options = parser.parse_args()
    os.chdir(ROOT)
    started = time.monotonic()
    group = GROUPS[options.group]
    scores = run(group, options.module, stride=options.stride, verbose=True)
    made = sum(score.made for score in scores)
    lost = sum(len(score.survivors) for score in scores)
    _say(f"{made - lost} of {made} noticed, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
