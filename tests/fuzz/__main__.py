"""Fuzzes readers of bytes: ``python -m tests.fuzz [--seconds N] [TARGET…]``.

With atheris the fuzzer sees which lines an input reaches and keeps the inputs that
reach new ones; without it inputs are mutated blindly. A finding is written to
``tests/fuzz/found/TARGET``, where the tests read it from then on.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

FOUND: Final = Path(__file__).parent / "found"


def main() -> int:
    """Fuzz every target that is named, one after another; 1 if there is a finding."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="of each target")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("target", nargs="*")
    options = parser.parse_args()
    if options.one:
        return _one(options.target[0], options.seconds)
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - after the command line

    bad = []
    for name in options.target or TARGETS:
        command = [sys.executable, "-m", "tests.fuzz", "--one", name]
        ran = subprocess.run([*command, "--seconds", str(options.seconds)], check=False)
        if ran.returncode:
            bad.append(name)
    _say(f"findings in: {', '.join(bad)}" if bad else "no finding")
    return 1 if bad else 0


def _one(name: str, seconds: int) -> int:
    if importlib.util.find_spec("atheris"):
        return _guided(name, seconds)
    return _blind(name, seconds)


def _guided(name: str, seconds: int) -> int:
    """Let atheris choose inputs, which needs modules that tell where they are."""
    atheris = importlib.import_module("atheris")

    with atheris.instrument_imports(include=["bundle"]):
        from tests.fuzz.targets import run, seeds  # noqa: PLC0415 - instrumented

    def feed(data: bytes) -> None:
        try:
            run(name, data)
        except Exception:
            _keep(name, data)
            raise

    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds(name)):
            Path(corpus, str(number)).write_bytes(seed)
        arguments = [f"-max_total_time={seconds}", "-max_len=70000", "-timeout=20"]
        arguments += [f"-artifact_prefix={corpus}.", "-rss_limit_mb=2048"]
        child = os.fork()
        if not child:
            status = 1
            try:
                atheris.Setup(
                    [name, corpus, *arguments, "-print_final_stats=1"],
                    feed,
                )
                atheris.Fuzz()
                status = 0
            except SystemExit as end:
                status = int(end.code or 0)
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        kept = len(os.listdir(corpus))  # noqa: PTH208 - a count
    _say(f"{name}: {kept} inputs kept, {'a finding' if status else 'no finding'}")
    return 1 if status else 0


def _blind(name: str, seconds: int) -> int:
    from tests.fuzz.mutations import mutated  # noqa: PLC0415 - not instrumented
    from tests.fuzz.targets import run, seeds  # noqa: PLC0415 - as above

    held = list(seeds(name))
    source = random.Random()
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data = mutated(held, source)
        count += 1
        try:
            run(name, data)
        except Exception as error:  # noqa: BLE001 - that is a finding
            _say(f"{name}: {type(error).__name__}: {error} ({_keep(name, data)})")
            return 1
    _say(f"{name}: {count} inputs, no finding")
    return 0


def _keep(name: str, data: bytes) -> Path:
    """Put a finding where the tests read it."""
    place = FOUND / name / hashlib.sha256(data).hexdigest()[:16]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return place


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
