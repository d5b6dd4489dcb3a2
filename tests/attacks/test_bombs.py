"""What is small on the medium and would be large in memory is refused for little.

Measured in a process of its own, since the largest resident set never shrinks.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KIB_OF_32_MIB = 32 << 10


@pytest.mark.parametrize(
    "family",
    [
        "bombs",
        pytest.param("documents", marks=pytest.mark.soak),
        pytest.param("recipes", marks=pytest.mark.soak),
        pytest.param("volumes", marks=pytest.mark.soak),
    ],
)
def test_refusing_takes_under_32_mib(family: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.attacks.measure", family],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    found = json.loads(ran.stdout)
    assert found["refused"] == found["of"] > 20
    assert found["rise"] < KIB_OF_32_MIB
