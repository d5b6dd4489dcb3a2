"""Writes every vector again: ``python spec/vectors/generate.py [DIRECTORY]``.

Without a directory it writes beside itself, and removes vectors that it no longer
makes. Attacks lie below ``attacks``, a directory each. The vectors of chapter 11
have a generator of their own, in ``cutting``.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from spec.vectors.generator import (  # noqa: E402 - found by way of the line above
    bad_bundles,
    bundles,
    chains,
    deltas,
    distrusted_bundles,
    documents,
    envelopes,
    images,
    keys,
    manifests,
    parities,
    payloads,
    policies,
    recipes,
    recipes_files,
    records,
    releases,
    roots,
    streams,
    volumes,
    words,
)
from spec.vectors.generator.attacks.every import (  # noqa: E402 - the same
    files as attack_files,
)
from spec.vectors.generator.container import render  # noqa: E402 - the same

MODULES: Final = (
    words,
    documents,
    records,
    volumes,
    payloads,
    recipes,
    recipes_files,
    releases,
    images,
    manifests,
    envelopes,
    keys,
    roots,
    chains,
    policies,
    bundles,
    bad_bundles,
    distrusted_bundles,
    deltas,
    parities,
    streams,
)


def every() -> dict[str, str]:
    """Return the text of every vector by its path."""
    found: dict[str, str] = {}
    for module in MODULES:
        for vector in module.vectors():
            if vector.path in found:
                raise ValueError(f"two vectors are called {vector.path}")
            found[vector.path] = render(vector)
    return found


def write(directory: Path) -> int:
    """Write every vector below ``directory`` and return how many there are."""
    texts = every()
    for kind in {path.partition("/")[0] for path in texts}:
        (directory / kind).mkdir(parents=True, exist_ok=True)
        for old in (directory / kind).iterdir():
            if f"{kind}/{old.name}" not in texts:
                old.unlink()
    for path, text in texts.items():
        (directory / path).write_bytes(text.encode())
    return len(texts) + write_attacks(directory / "attacks")


def write_attacks(directory: Path) -> int:
    """Write every attack below ``directory`` and return how many there are."""
    texts = attack_files()
    made = {path.partition("/")[0] for path in texts if "/" in path}
    directory.mkdir(exist_ok=True)
    for old in directory.iterdir():
        if old.is_dir() and old.name not in made:
            shutil.rmtree(old)
    for name in made:
        (directory / name).mkdir(exist_ok=True)
    for path, text in texts.items():
        (directory / path).write_bytes(text.encode())
    return len(made)


def main(arguments: list[str]) -> None:
    """Write the vectors where the arguments say."""
    directory = Path(arguments[0]) if arguments else HERE
    print(f"{write(directory)} vectors in {directory}")


if __name__ == "__main__":
    main(sys.argv[1:])
