"""Carry one state of a model after another: bytes and time of what differs.

    python -m benchmarks.deltas [--rounds N] [--size BYTES]

Every contender stores the first state, and then, timed, the second with what it
knows of the first. What its store grew by is what would have to be carried. The
bars are those that we hold ourselves to; the exit code is 1 where one is missed.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from benchmarks.contenders import BORG, CASYNC, OURS, RESTIC
from benchmarks.measure import run, size_of
from benchmarks.peers import MIB, Bar

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.contenders import Command, Contender
    from benchmarks.measure import Figure


@dataclass(frozen=True, slots=True)
class Updater:
    """How a contender stores a second state beside a first."""

    base: Contender
    second: Callable[[Path, Path, Path], Command]
    first: Callable[[Path, Path], Command] | None = None
    name: str = ""

    @property
    def title(self) -> str:
        """What the table calls it."""
        return self.name or self.base.name

    def store(self, place: Path, source: Path) -> Command:
        """Return what stores the first state."""
        return (self.first or self.base.store)(place, source)


def _shell(text: str) -> Command:
    return ["bash", "-ec", "set -o pipefail; " + text]


def _update(place: Path, _before: Path, after: Path) -> Command:
    base = f"{place}/store/bench-000001"
    return [*OURS.store(place, after), "--base", base]


def _again(contender: Contender, old: str, new: str) -> Updater:
    """Return an updater that runs the store command with another archive's name."""

    def second(place: Path, _before: Path, after: Path) -> Command:
        *words, text = contender.store(place, after)
        return [*words, text.replace(old, new)]

    return Updater(contender, second)


RSYNC = Updater(
    OURS,
    lambda place, before, after: _shell(
        f"mkdir -p {place}/store; rsync -a --no-whole-file --ignore-times "
        f"--only-write-batch={place}/store/batch {after}/ {before}/"
    ),
    lambda _place, _source: ["true"],
    name="rsync batch",
)

UPDATERS = (
    Updater(OURS, _update),
    _again(CASYNC, "a.caidx", "b.caidx"),
    Updater(RESTIC, lambda place, _before, after: RESTIC.store(place, after)),
    _again(BORG, "::a", "::b"),
    RSYNC,
)


def _is_here(updater: Updater) -> bool:
    if updater.name:
        return shutil.which("rsync") is not None
    return updater.base.here


def change_card(state: Path) -> None:
    """Change what is beside the weights: the card and the configuration."""
    (state / "README.md").write_text("# A model, reviewed\n" * 50)
    (state / "config.json").write_text('{"layers": 2, "reviewed": true}')


def change_tensors(state: Path) -> None:
    """Give one tensor in ten other values, in a process of its own."""
    model = state / "model.safetensors"
    run([sys.executable, "-m", "benchmarks.inputs", "--change", f"{model}"])


CASES: dict[str, Callable[[Path], None]] = {
    "card and config": change_card,
    "one tensor in ten": change_tensors,
}


class Deltas:
    """Rounds of all contenders over one pair of states."""

    def __init__(self, where: Path, size: int, change: Callable[[Path], None]) -> None:
        self._where = where
        self.before, self.after = where / "before", where / "after"
        self.before.mkdir()
        model = self.before / "model.safetensors"
        run([sys.executable, "-m", "benchmarks.inputs", f"{model}", f"{size}"])
        (self.before / "README.md").write_text("# A model\n" * 50)
        (self.before / "config.json").write_text('{"layers": 2}')
        shutil.copytree(self.before, self.after)
        change(self.after)
        self.size = size_of(self.after)
        self.figures: dict[str, list[Figure]] = defaultdict(list)
        self.carried: dict[str, int] = {}
        self.updaters = [one for one in UPDATERS if _is_here(one)]

    def round(self) -> None:
        """Let every contender store the second state once."""
        for updater in self.updaters:
            place = self._where / "place"
            place.mkdir()
            try:
                self._one(updater, place)
            finally:
                shutil.rmtree(place)

    def _one(self, updater: Updater, place: Path) -> None:
        for command in updater.base.prepare(place):
            run(command)
        run(updater.store(place, self.before))
        stored = size_of(place / "store")
        command = updater.second(place, self.before, self.after)
        self.figures[updater.title].append(run(command))
        self.carried[updater.title] = size_of(place / "store") - stored
        if updater.title == OURS.name:
            self._check(place)

    def _check(self, place: Path) -> None:
        """Apply both of our bundles; what comes out is the second state."""
        out = place / "out"
        apply = OURS.restore(place, out)
        run(apply)
        run([word.replace("bench-000001", "bench-000002") for word in apply])
        for path in self.after.iterdir():
            run(["cmp", f"{path}", f"{out / path.name}"])

    def seconds(self, title: str) -> float:
        """Return the median over the rounds."""
        return statistics.median(figure.seconds for figure in self.figures[title])

    def bars(self) -> list[Bar]:
        """Return the bars and where we stand."""
        best = min(self.carried[one.title] for one in self.updaters)
        changed = max(best, self.size // 100)
        return [Bar("bytes / the least", self.carried[OURS.name] / changed, 1.0)]


def _table(case: str, deltas: Deltas) -> Table:
    table = Table(title=f"{case}: {deltas.size / 1e9:.2f} GB, what the update carries")
    for title in ("", "bytes", "of the whole", "seconds", "RSS MiB"):
        table.add_column(title, justify="right" if title else "left")
    for updater in deltas.updaters:
        title = updater.title
        carried = deltas.carried[title]
        rss = max(figure.rss for figure in deltas.figures[title])
        table.add_row(
            title,
            f"{carried:,}",
            f"{carried / deltas.size:.4%}",
            f"{deltas.seconds(title):.2f}",
            f"{rss / MIB:.0f}",
        )
    return table


def main() -> int:
    """Run the comparison that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deltas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=1_500_000_000, help="bytes of bf16")
    parser.add_argument("--where", type=Path, default=Path("/dev/shm"))  # noqa: S108 - memory, so that no disk is measured
    options = parser.parse_args()
    console = Console(width=100)
    kept = True
    for case, change in CASES.items():
        with tempfile.TemporaryDirectory(
            dir=options.where, prefix="bundle-bench-"
        ) as place:
            deltas = Deltas(Path(place), options.size, change)
            for _ in range(options.rounds):
                deltas.round()
        console.print(_table(case, deltas))
        for bar in deltas.bars():
            verdict = "kept" if bar.kept else "MISSED"
            console.print(
                f"{bar.what}: {bar.measured:.2f} (bar {bar.limit:g}) {verdict}"
            )
            kept = kept and bar.kept
    absent = [one.title for one in UPDATERS if not _is_here(one)]
    if absent:
        console.print(f"not installed, left out: {', '.join(absent)}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
