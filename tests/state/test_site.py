from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bundle.errors import FormatError, TrustError
from bundle.state.site import site_key

if TYPE_CHECKING:
    from pathlib import Path


def test_a_site_has_one_key_that_is_made_when_it_is_asked_for(tmp_path: Path) -> None:
    made = site_key(tmp_path / "state", "lab-1").public
    assert site_key(tmp_path / "state", "lab-1").public == made
    assert site_key(tmp_path / "state", "lab-2").public != made
    path = tmp_path / "state/sites/lab-1.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_name_that_is_no_slug_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(FormatError):
        site_key(tmp_path, "../lab")
    assert not list(tmp_path.iterdir())


def test_a_damaged_key_is_not_replaced(tmp_path: Path) -> None:
    site_key(tmp_path, "lab-1")
    (tmp_path / "sites/lab-1.pem").write_bytes(b"?")
    with pytest.raises(TrustError):
        site_key(tmp_path, "lab-1")
    assert (tmp_path / "sites/lab-1.pem").read_bytes() == b"?"
