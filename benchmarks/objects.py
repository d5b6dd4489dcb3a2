"""A model into object storage, beside ``aws s3 sync`` and ``rclone sync``.

All three talk to one real Ceph gateway on the loopback, in turns. Seconds are taken
without anything between; bytes and requests are counted by a proxy, in a second
pass that does the same. The bars that we hold ourselves to are checked at the end.

    python -m benchmarks.objects [--size MIB] [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.measure import run
from benchmarks.peers import Bar
from tests.faults import proxying
from tests.gateway import installed, running
from tests.objects import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.gateway import Gateway

MIB: Final = 1 << 20
STEPS: Final = ("cold", "unchanged", "README.md edited", "1 % of the weights changed")
CHANGED: Final = ((), (), ("README.md",), ("weights.bin",))
PEAK: Final = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=sys.stderr)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
"""Runs a command from a process that is small: a child counts what its parent had."""

CLIENT: Final = "bundle's upload alone"
OURS: Final = "bundle unpack"


@dataclass(frozen=True, slots=True)
class Contender:
    """How one tool brings what a step left into a bucket, under a prefix."""

    name: str
    needs: str
    command: Callable[[Source, int, str], list[str]]
    environment: Callable[[Gateway, str], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Source:
    """A model as each step left it: ``trees`` for the others, ``bundles`` for us."""

    path: Path

    def tree(self, step: int) -> Path:
        """Return the directory as a step left it."""
        return self.path / f"tree-{step}"

    def bundle(self, step: int) -> Path:
        """Return the bundle of it; nothing is packed where nothing changed."""
        return self.path / f"out/bench-{max(step, 1):06}"

    @property
    def state(self) -> Path:
        """Where the receiver remembers whom it trusts."""
        return self.path / "state"


def _aws(gateway: Gateway, url: str) -> Mapping[str, str]:
    return {
        **gateway.environment,
        "AWS_ENDPOINT_URL": url,
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    }


def _rclone(gateway: Gateway, url: str) -> Mapping[str, str]:
    return {
        "RCLONE_CONFIG_CEPH_TYPE": "s3",
        "RCLONE_CONFIG_CEPH_PROVIDER": "Ceph",
        "RCLONE_CONFIG_CEPH_ENDPOINT": url,
        "RCLONE_CONFIG_CEPH_ACCESS_KEY_ID": gateway.access_key,
        "RCLONE_CONFIG_CEPH_SECRET_ACCESS_KEY": gateway.secret_key,
        "RCLONE_CONFIG": "/dev/null",
    }


def _unpack(source: Source, step: int, place: str) -> list[str]:
    return [
        *(sys.executable, "-m", "bundle", "unpack", str(source.bundle(step))),
        *("--to", f"s3://{place}?layout=flat", "--quiet"),
        *("--trust", str(source.path / "keys/1.root.json")),
        *("--state", str(source.state / place.replace("/", "-"))),
    ]


CONTENDERS: Final = (
    Contender(OURS, sys.executable, _unpack, _aws),
    Contender(
        CLIENT,
        sys.executable,
        lambda source, step, place: [
            *(sys.executable, "-m", "benchmarks.upload"),
            *(str(source.tree(step)), f"s3://{place}"),
        ],
        _aws,
    ),
    Contender(
        "aws s3 sync",
        "aws",
        lambda source, step, place: [
            *("aws", "s3", "sync", "--only-show-errors"),
            *(str(source.tree(step)), f"s3://{place}"),
        ],
        _aws,
    ),
    Contender(
        "rclone sync",
        "rclone",
        lambda source, step, place: [
            *("rclone", "sync", str(source.tree(step)), f"ceph:{place}"),
        ],
        _rclone,
    ),
)


@dataclass(frozen=True, slots=True)
class Run:
    """One command: ``seconds`` by the wall clock, ``rss`` its peak in bytes."""

    seconds: float
    rss: int


@dataclass(frozen=True, slots=True)
class Figure:
    """One step of one contender: bytes of requests and answers, and what it took."""

    sent: int
    received: int
    requests: int
    seconds: float
    rss: int


def make_source(path: Path, size: int) -> Source:
    """Make the model of every step, and the bundles that carry it."""
    source = Source(path)
    keys = path / "keys"
    bundle = [sys.executable, "-m", "bundle"]
    run([*bundle, "key", "init", str(keys), "--quiet"])
    tree = source.tree(0)
    (tree / "onnx").mkdir(parents=True)
    data = np.random.default_rng(1).integers(0, 256, size, np.uint8)
    (tree / "weights.bin").write_bytes(data.tobytes())
    (tree / "README.md").write_text("# A model\n" * 400)
    (tree / "config.json").write_text("{}\n")
    for number in range(20):
        part = np.random.default_rng(number + 2).bytes(200_000)
        (tree / f"onnx/part-{number:02}.bin").write_bytes(part)
    for step in range(1, len(STEPS)):
        shutil.copytree(source.tree(step - 1), source.tree(step))
    for step in (2, 3):
        (source.tree(step) / "README.md").write_text("# The model\n" * 400)
    at = size // 3
    data[at : at + size // 100] ^= 0xA5
    (source.tree(3) / "weights.bin").write_bytes(data.tobytes())
    live = path / "live"
    for step in (0, 2, 3):
        # One directory at all times: it is one artifact that changes.
        shutil.rmtree(live, ignore_errors=True)
        shutil.copytree(source.tree(step), live)
        words = ("pack", f"tree:{live}", "--stream", "bench", "--quiet")
        places = ("--out", str(path / "out"), "--key", str(keys))
        run([*bundle, *words, *places, "--state", str(path / "sender")])
    return source


class Comparison:
    """All contenders and steps, against one gateway."""

    def __init__(self, source: Source, gateway: Gateway, bucket: str) -> None:
        self.figures: dict[tuple[str, int], list[Figure]] = defaultdict(list)
        self._source, self._gateway, self._bucket = source, gateway, bucket
        self.contenders = [one for one in CONTENDERS if shutil.which(one.needs)]

    def round(self, number: int) -> None:
        """Let every contender take every step once."""
        for step in range(len(STEPS)):
            for contender in self.contenders:
                if contender.name == CLIENT and step:
                    continue
                self.figures[contender.name, step].append(
                    self._one(contender, step, number)
                )

    def _one(self, contender: Contender, step: int, number: int) -> Figure:
        word = str(self.contenders.index(contender))
        timed = self._run(
            contender, step, f"c{word}-{number}-timed", self._gateway.http
        )
        with proxying(self._gateway.http) as proxy:
            self._run(contender, step, f"c{word}-{number}-counted", proxy.url)
        return Figure(
            proxy.sent, proxy.received, proxy.requests, timed.seconds, timed.rss
        )

    def _run(self, contender: Contender, step: int, prefix: str, url: str) -> Run:
        words = contender.environment(self._gateway, url)
        assigned = [f"{name}={value}" for name, value in words.items()]
        command = contender.command(self._source, step, f"{self._bucket}/{prefix}")
        for name in CHANGED[step]:
            # Sizes and times are all that the others look at.
            (self._source.tree(step) / name).touch()
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", PEAK, "env", *assigned, *command],
            stdout=subprocess.PIPE,
            check=True,
        )
        return Run(time.perf_counter() - start, int(done.stdout) * 1024)

    def median(self, name: str, step: int) -> float:
        """Return the seconds of a step."""
        return statistics.median(one.seconds for one in self.figures[name, step])

    def bars(self, size: int) -> list[Bar]:
        """Return the bars and where we stand."""
        card, weights = self.figures[OURS, 2][-1], self.figures[OURS, 3][-1]
        rss = max(one.rss for step in range(4) for one in self.figures[OURS, step])
        bars = [
            Bar("README.md edited: MiB moved", (card.sent + card.received) / MIB, 1.0),
            Bar("1 % changed: % of it sent", 100 * weights.sent / size, 5.0),
            Bar("peak RSS, MiB", rss / MIB, 300.0),
        ]
        if (other := "aws s3 sync") in {one.name for one in self.contenders}:
            for name in (CLIENT, OURS):
                ratio = self.median(name, 0) / self.median(other, 0)
                bars.append(Bar(f"cold: seconds of {name} / {other}", ratio, 1.0))
        return bars


def main() -> int:
    """Run the comparison that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--size", type=int, default=256, help="MiB of weights")
    parser.add_argument("--where", type=Path, default=Path("/dev/shm"))  # noqa: S108 - memory, so that no disk is measured
    options = parser.parse_args()
    if not installed():
        print("there is no radosgw here: tools/debian radosgw ceph-mon ceph-osd")
        return 2
    for name in ("AWS_CA_BUNDLE", "AWS_PROFILE"):
        os.environ.pop(name, None)
    size = options.size * MIB
    with (
        tempfile.TemporaryDirectory(dir=options.where, prefix="bundle-bench-") as place,
        running(Path(place) / "ceph", room=16 << 30) as gateway,
    ):
        Endpoint(gateway.http, gateway.environment).client.create_bucket(Bucket="bench")
        comparison = Comparison(
            make_source(Path(place) / "source", size), gateway, "bench"
        )
        for number in range(options.rounds):
            comparison.round(number)
    _print(comparison, size)
    bars = comparison.bars(size)
    for bar in bars:
        verdict = "kept" if bar.kept else "MISSED"
        print(f"{bar.what}: {bar.measured:.2f} (bar {bar.limit:g}) {verdict}")
    return 0 if all(bar.kept for bar in bars) else 1


def _print(comparison: Comparison, size: int) -> None:
    table = Table(title=f"{size / MIB:.0f} MiB of weights and 22 small files")
    for column in ("", "", "sent MiB", "received MiB", "requests", "s", "RSS MiB"):
        table.add_column(column, justify="right" if column else "left")
    for step, name in enumerate(STEPS):
        for contender in comparison.contenders:
            if (contender.name, step) not in comparison.figures:
                continue
            last = comparison.figures[contender.name, step][-1]
            table.add_row(
                name if contender is comparison.contenders[0] else "",
                contender.name,
                f"{last.sent / MIB:.2f}",
                f"{last.received / MIB:.2f}",
                f"{last.requests}",
                f"{comparison.median(contender.name, step):.2f}",
                f"{last.rss / MIB:.0f}",
            )
    Console(width=100).print(table)
    absent = [one.name for one in CONTENDERS if one not in comparison.contenders]
    if absent:
        print(f"not installed, left out: {', '.join(absent)}")


if __name__ == "__main__":
    sys.exit(main())
