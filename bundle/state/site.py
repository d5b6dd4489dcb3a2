"""A site's own key, which signs its receipts (spec §60.1.10)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from bundle.errors import ExistsError
from bundle.format.receipt import check_site
from bundle.limits import MAX_KEY_FILE
from bundle.state.files import create_file, names_in, read_bounded
from bundle.trust.keys import PrivateKey

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_SITE: Final = "default"
"""The name of a site that nobody gave a name."""


def site_key(state: Path, site: str) -> PrivateKey:
    """Return the key of ``site``, made when it is first asked for.

    Raises:
        FormatError: ``site`` is no slug.
        TrustError: the file is no key.
        TargetError: it could not be read or written.
    """
    directory = state / "sites"
    name = f"{check_site(site)}.pem"
    if name not in names_in(directory):
        with contextlib.suppress(ExistsError):
            create_file(directory / name, PrivateKey.generate().to_pem())
    return PrivateKey.from_pem(
        read_bounded(directory / name, MAX_KEY_FILE, rule="21.2.1")
    )
