"""Clients of four generations: the newest here, older ones as `make interop` makes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.clients import HubClient

PROJECT = Path(__file__).parents[2]
NEWEST = "2.4"
OLDER = ("0.25", "0.36", "1.0")

GENERATIONS = [
    pytest.param(NEWEST, id=f"huggingface_hub {NEWEST}"),
    *(
        pytest.param(number, id=f"huggingface_hub {number}", marks=pytest.mark.interop)
        for number in OLDER
    ),
]
"""For tests that take the number of a release; all but the newest are interop."""


def client_of(
    generation: str,
    *,
    home: Path | None = None,
    cache: Path | None = None,
    environment: dict[str, str] | None = None,
) -> HubClient:
    """Return a client of one generation, to be used in a ``with`` statement."""
    python = Path(sys.executable)
    if generation != NEWEST:
        python = PROJECT / f".venv-hub-{generation}" / "bin" / "python"
    return HubClient(home=home, cache=cache, python=python, environment=environment)
