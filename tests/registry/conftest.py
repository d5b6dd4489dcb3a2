"""A registry of the tests' own, and clients of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.registry import fake as fakes

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def fake() -> Iterator[fakes.Fake]:
    with fakes.faking() as running:
        yield running
