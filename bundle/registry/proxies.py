"""Which proxy stands between, by the variables that everyone uses.

``aiohttp`` can read them itself, but then reads ``~/.netrc`` too and sends what it
finds there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from yarl import URL


def proxy_for(url: URL, environment: Mapping[str, str]) -> str | None:
    """Return the proxy that ``environment`` names for a URL, or None.

    ``HTTPS_PROXY`` or ``HTTP_PROXY`` by the scheme, in either case; ``NO_PROXY``
    lists hosts and domains, ``*`` is all of them.
    """
    name = f"{url.scheme}_proxy"
    proxy = environment.get(name) or environment.get(name.upper())
    if not proxy or _is_excepted(url, environment):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_excepted(url: URL, environment: Mapping[str, str]) -> bool:
    host = (url.host or "").lower()
    listed = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    for entry in listed.lower().replace(",", " ").split():
        if entry in ("*", host, f"{host}:{url.port}"):
            return True
        domain = entry.removeprefix("*").removeprefix(".")
        if domain and host.endswith(f".{domain}"):
            return True
    return False
