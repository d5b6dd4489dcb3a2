"""An organisation whose keys get stolen and lost, and receivers that notice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bundle.errors import TrustError
from bundle.state.files import names_in
from tests.bundles import Site, snapshot
from tests.trust.ceremony import Ceremony, founded, key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bundle.state.receiver import TrustChoice

KEPT = ("receiver/trust/", "receiver/alarms")


def organisation(**changes: Any) -> Ceremony:  # noqa: ANN401 - fields of a Ceremony
    """Two of three root keys, packer 10."""
    return founded(**changes)


def key_directory(path: Path, files: Mapping[str, bytes], number: int) -> Path:
    """A packer's directory with these roots and roles, and this key."""
    path.mkdir()
    for name, data in files.items():
        (path / name).write_bytes(data)
    (path / "packer.pem").touch(mode=0o600)
    (path / "packer.pem").write_bytes(key(number).to_pem())
    return path


def carry(bundle: Path, files: Mapping[str, bytes]) -> Path:
    """Put other roots and roles on a medium, in place of those that are there."""
    trust = bundle / "trust"
    for name in names_in(trust):
        (trust / name).unlink()
    for name, data in files.items():
        (trust / name).write_bytes(data)
    return bundle


def refused(site: Site, bundle: Path, trust: TrustChoice, reason: str) -> None:
    """Neither verb takes it, for a reason of one line, and nothing changes.

    But what verified of its roots and roles is kept, and so is an alarm.
    """
    before = _all_but_kept(site)
    for verb in (site.verify, site.unpack):
        with pytest.raises(TrustError, match=rf"{reason}.*\(rule [0-9.]+\)$") as caught:
            verb(bundle, trust=trust)
        assert caught.value.exit_code == 12
        assert str(caught.value).isprintable()
    assert _all_but_kept(site) == before


def _all_but_kept(site: Site) -> dict[str, tuple[object, ...]]:
    return {
        name: entry
        for name, entry in snapshot(site.path).items()
        if not name.startswith(KEPT)
    }


def kept(site: Site) -> list[str]:
    """The roots and roles that the receiver holds."""
    return names_in(site.receiver / "trust")
