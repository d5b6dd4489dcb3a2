"""Compare with peers and print the table; exits 1 where a bar is missed."""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.contenders import ALL
from benchmarks.peers import MIB, VERBS, Bar, Comparison, compare
from benchmarks.startup import HELP, MOST_HELP, startup


def main() -> int:
    """Run the comparison that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=1_500_000_000, help="bytes of bf16")
    parser.add_argument("--where", type=Path, default=Path("/dev/shm"))  # noqa: S108 - memory, so that no disk is measured
    options = parser.parse_args()
    comparison = compare(options.rounds, options.size, options.where)
    console = Console(width=100)
    console.print(_figures(comparison))
    console.print(_processors(comparison))
    absent = [one.name for one in ALL if not one.here]
    if absent:
        console.print(f"not installed, left out: {', '.join(absent)}")
    started = startup(options.rounds, options.where)
    console.print(_started(started))
    bars = comparison.bars()
    bars.append(Bar("bundle --help, s", started[HELP], MOST_HELP))
    for bar in bars:
        verdict = "kept" if bar.kept else "MISSED"
        console.print(f"{bar.what}: {bar.measured:.2f} (bar {bar.limit:g}) {verdict}")
    return 0 if all(bar.kept for bar in bars) else 1


def _figures(comparison: Comparison) -> Table:
    table = Table(
        title=f"{comparison.size / 1e9:.2f} GB of bf16, medians of "
        f"{len(comparison.seconds('cp', 'pack'))} rounds [least - most], times cp"
    )
    table.add_column("")
    for verb in VERBS:
        table.add_column(f"{verb} s", justify="right")
        table.add_column("x cp", justify="right")
    table.add_column("stored", justify="right")
    table.add_column("RSS MiB", justify="right")
    for contender in comparison.contenders:
        row = [contender.name]
        for verb in VERBS:
            row += _cells(comparison, contender.name, verb)
        stored = comparison.stored[contender.name] / comparison.size
        rss = max(
            figure.rss
            for (name, _), figures in comparison.figures.items()
            if name == contender.name
            for figure in figures
        )
        table.add_row(*row, f"{stored:.3f}", f"{rss / MIB:.0f}")
    return table


def _processors(comparison: Comparison) -> Table:
    table = Table(title="seconds of processors, medians")
    table.add_column("")
    for verb in VERBS:
        table.add_column(verb, justify="right")
    for contender in comparison.contenders:
        cells = []
        for verb in VERBS:
            figures = comparison.figures[contender.name, verb]
            middle = statistics.median([one.cpu for one in figures] or [0.0])
            cells.append(f"{middle:.2f}" if figures else "-")
        table.add_row(contender.name, *cells)
    return table


def _started(seconds: dict[str, float]) -> Table:
    table = Table(title="start-up: each command on one small file, median s")
    for verb in seconds:
        table.add_column(verb, justify="right")
    table.add_row(*(f"{one:.2f}" for one in seconds.values()))
    return table


def _cells(comparison: Comparison, name: str, verb: str) -> list[str]:
    seconds = comparison.seconds(name, verb)
    if not seconds:
        return ["-", "-"]
    middle = statistics.median(seconds)
    return [
        f"{middle:.2f} [{min(seconds):.2f}-{max(seconds):.2f}]",
        f"{comparison.ratio(name, verb):.2f}",
    ]


if __name__ == "__main__":
    sys.exit(main())
