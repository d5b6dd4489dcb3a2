"""Prints what crossed: one row for each artifact of each bundle.

python demo/crossed.py ROOT.json BUNDLE…
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from bundle.cli.units import size_text


def events(verb: str, bundle: str, root: str) -> list[dict[str, Any]]:
    """Return what a reading verb says about a bundle."""
    command = ["bundle", verb, bundle, "--trust", root, "--json"]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return [json.loads(line) for line in answer.stdout.splitlines()]


def main() -> None:
    """Ask ``bundle`` about every bundle and print one table."""
    root, *bundles = sys.argv[1:]
    table = Table(box=None, pad_edge=False)
    for column in ("release", "artifact", "revision", "licence"):
        table.add_column(column, overflow="fold")
    for column in ("files", "size", "on the medium"):
        table.add_column(column, justify="right", no_wrap=True)
    for bundle in bundles:
        [whole] = [e for e in events("inspect", bundle, root) if e["event"] == "result"]
        for artifact in events("ls", bundle, root):
            if artifact["event"] == "artifact":
                table.add_row(
                    f"{whole['stream']['name']} {whole['seq']}",
                    artifact["name"],
                    artifact["revision"][:12],
                    artifact["licence"],
                    str(artifact["files"]),
                    size_text(artifact["bytes"]),
                    size_text(whole["bytes"]),
                )
    Console(width=None if sys.stdout.isatty() else 160).print(table)


if __name__ == "__main__":
    main()
