"""Who may do what: the answers to a registry's 401.

A registry asks for a name and a password (``Basic``), or sends its clients to a
token server (``Bearer``) with a *scope*: which repository, to do what. Tokens are
asked for once and used until they expire.

A login goes to the host it is for, and to the token server of that host: the same
host, one below the same domain, or one that was named. It never goes along with
a redirect, and never from TLS to plain HTTP.
"""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
from yarl import URL

from bundle.errors import StoreError
from bundle.limits import MAX_TOKEN_ANSWER
from bundle.oci.references import DOCKER_HUB
from bundle.registry.challenge import challenges
from bundle.registry.failures import DeniedError
from bundle.registry.login import Login, find_login

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from bundle.registry.options import RegistryOptions

    Ask = Callable[[str, URL, Mapping[str, str], bytes | None], Awaitable[bytes]]

_LIFE: Final = 60
"""Seconds that a token lasts when its server does not say (distribution's rule)."""

_MARGIN: Final = 10
"""Seconds before its end from which on a token is not used any more."""

_CLIENT: Final = "bundle"


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to be done at one repository: ``pull``, or ``pull,push``."""

    repository: str
    actions: str = "pull"

    def __str__(self) -> str:
        return f"repository:{self.repository}:{self.actions}"


@dataclass(frozen=True, slots=True)
class _Token:
    header: str
    until: float


class _Answer(msgspec.Struct):
    token: str | None = None
    access_token: str | None = None
    expires_in: float | None = None


class Authority:
    """Answers for one registry; ``ask`` sends a request and returns its body."""

    def __init__(
        self,
        host: str,
        options: RegistryOptions,
        ask: Ask,
        clock: Callable[[], float],
    ) -> None:
        self._host = host
        self._options = options
        self._ask = ask
        self._clock = clock
        self._lock = asyncio.Lock()
        self._logins: dict[str, Login | None] = {}
        self._tokens: dict[tuple[Scope, ...], _Token] = {}
        self.basic = False
        """Whether the registry asked for a name and a password itself."""

        self.way = "none"
        """How it asked for a login so far: ``none``, ``basic`` or ``bearer``."""

    async def header(self, scopes: tuple[Scope, ...]) -> str | None:
        """Return the ``Authorization`` that is known to be wanted, or None."""
        if self.basic:
            login = await self._login(scopes)
            return None if login is None else login.basic()
        token = self._tokens.get(scopes)
        if token is None or token.until <= self._clock():
            return None
        return token.header

    async def answer(
        self, asked: str, scopes: tuple[Scope, ...], used: str | None
    ) -> str:
        """Return the ``Authorization`` that answers a challenge.

        ``used`` is the one that was just refused, if any.

        Raises:
            DeniedError: there is nothing more to answer with.
            StoreError: the token server cannot be used.
        """
        found = challenges(asked)
        async with self._lock:
            known = await self.header(scopes)
            if known is not None and known != used:
                return known
            self.way = "bearer" if "bearer" in found else "basic"
            if "bearer" in found:
                return await self._token(found["bearer"], scopes)
            if "basic" in found:
                return await self._basic(scopes, used)
        raise StoreError(
            f"{self._host}: it asks for a login in a way that is not known here",
            advice="Basic and Bearer are known",
        )

    async def _login(self, scopes: tuple[Scope, ...]) -> Login | None:
        name = scopes[0].repository if scopes else ""
        if name not in self._logins:
            self._logins[name] = await find_login(self._host, name, self._options)
        return self._logins[name]

    async def _basic(self, scopes: tuple[Scope, ...], used: str | None) -> str:
        login = await self._login(scopes)
        header = None if login is None else login.basic()
        if header is None or header == used:
            what = "no login is known" if header is None else "the login is refused"
            raise DeniedError(
                f"{self._host}: {what}",
                advice=f"log in with 'skopeo login {self._host}', or name a file of "
                "logins with --auth-file",
            )
        self.basic = True
        return header

    async def _token(
        self, challenge: Mapping[str, str], scopes: tuple[Scope, ...]
    ) -> str:
        realm = self._realm(challenge)
        login = await self._login(scopes)
        if login is not None and not self._may_have(realm):
            raise StoreError(
                f"{self._host}: it sends its clients to {realm.host} for a token, and "
                "the login is not for that host",
                advice=f"if that is right: --token-server {realm.host}",
            )
        fields = {"service": challenge["service"]} if challenge.get("service") else {}
        names = list(map(str, scopes)) or challenge.get("scope", "").split()
        if login is not None and login.identity_token:
            body = await self._refresh(realm, fields, names, login)
        else:
            url = realm.extend_query(
                [*fields.items(), *(("scope", one) for one in names)]
            )
            headers = {} if login is None else {"Authorization": login.basic()}
            body = await self._ask("GET", url, headers, None)
        token = self._read(realm, body)
        self._tokens[scopes] = token
        return token.header

    async def _refresh(
        self, realm: URL, fields: dict[str, str], names: list[str], login: Login
    ) -> bytes:
        """Ask with an identity token, which only a form carries (RFC 6749 §6)."""
        form = {
            **fields,
            "grant_type": "refresh_token",
            "client_id": _CLIENT,
            "scope": " ".join(names),
            "refresh_token": login.identity_token,
        }
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        data = URL.build(query=form).raw_query_string.encode()
        return await self._ask("POST", realm, kind, data)

    def _realm(self, challenge: Mapping[str, str]) -> URL:
        """Return the address of the token server, if tokens may come from there."""
        text = challenge.get("realm", "")
        try:
            realm = URL(text)
        except ValueError:
            realm = URL()
        allowed = ("http", "https") if self._options.plain_http else ("https",)
        if realm.scheme not in allowed or not realm.host or realm.user:
            raise StoreError(
                f"{self._host}: it sends its clients to {text[:100]!r} for a token",
                advice="that is no address with TLS; ask whoever runs the registry",
            )
        return realm

    def _may_have(self, realm: URL) -> bool:
        """Return whether a token server may be sent a login of this registry."""
        mine = URL(f"https://{self._host}").host or ""
        other = realm.host or ""
        if other == mine or other in self._options.token_servers:
            return True
        if self._host == DOCKER_HUB:
            return other == "auth.docker.io"
        _, _, domain = mine.partition(".")
        if "." not in domain or _is_address(mine):
            return False
        return other == domain or other.endswith(f".{domain}")

    def _read(self, realm: URL, body: bytes) -> _Token:
        try:
            answer = msgspec.json.decode(body[:MAX_TOKEN_ANSWER], type=_Answer)
        except (msgspec.DecodeError, RecursionError):
            answer = _Answer()
        token = answer.token or answer.access_token
        if not token or not token.isascii() or not token.isprintable():
            raise StoreError(
                f"{self._host}: {realm.host} does not give a token",
                advice="ask whoever runs the registry",
            )
        life = answer.expires_in or _LIFE
        until = self._clock() + max(life - _MARGIN, life / 2)
        return _Token(f"Bearer {token}", until)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
