"""The logins that docker, podman and skopeo left for a registry.

The first of these files that has one for the registry counts:

1. the file that was named, and then no other is looked at;
2. ``REGISTRY_AUTH_FILE``, and then no other either;
3. ``$XDG_RUNTIME_DIR/containers/auth.json``;
4. ``$XDG_CONFIG_HOME/containers/auth.json``, below ``~/.config`` by default;
5. ``$DOCKER_CONFIG/config.json``, below ``~/.docker`` by default.

A login may be for one namespace of a registry; the longest name that fits is
used. Where a file names a credential helper for the registry, that is asked.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from bundle.errors import UsageError
from bundle.limits import MAX_AUTH_FILE
from bundle.oci.references import DOCKER_HUB
from bundle.registry.credential_helper import ask_helper

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bundle.registry.options import RegistryOptions

_HUB_KEYS: Final = ("https://index.docker.io/v1/", "index.docker.io", DOCKER_HUB)


@dataclass(frozen=True, slots=True)
class Login:
    """A name and a password, or an identity token in place of the password.

    Neither is ever shown: ``repr`` has the name alone.
    """

    username: str
    password: str = ""
    identity_token: str = ""

    def basic(self) -> str:
        """Return the value of an ``Authorization`` header (RFC 7617)."""
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"

    def __repr__(self) -> str:
        return f"Login({self.username!r}, …)"


class _Entry(msgspec.Struct):
    auth: str = ""
    username: str = ""
    password: str = ""
    identitytoken: str = ""


class _Document(msgspec.Struct):
    auths: dict[str, _Entry] = {}
    cred_helpers: dict[str, str] = msgspec.field(name="credHelpers", default={})
    creds_store: str = msgspec.field(name="credsStore", default="")


async def find_login(
    host: str, repository: str, options: RegistryOptions
) -> Login | None:
    """Return the login for a repository of a registry, None to go without.

    ``host`` is as references write it, with its port.

    Raises:
        UsageError: a file that was named is not there, or one is no such file,
            or a credential helper does not work.
    """
    for path, was_named in _files(options):
        document = _read(path, must_exist=was_named)
        if document is None:
            continue
        login = await _from_helper(host, document, options.environment)
        login = login or _from_file(host, repository, document, path)
        if login is not None:
            return login
    return None


def _files(options: RegistryOptions) -> Iterator[tuple[Path, bool]]:
    """Yield the files to look at, and whether a person named them."""
    environment = options.environment
    if options.auth_file is not None:
        yield options.auth_file, True
        return
    if environment.get("REGISTRY_AUTH_FILE"):
        yield Path(environment["REGISTRY_AUTH_FILE"]), True
        return
    if environment.get("XDG_RUNTIME_DIR"):
        yield Path(environment["XDG_RUNTIME_DIR"], "containers", "auth.json"), False
    home = environment.get("HOME")
    for variable, directory, name in (
        ("XDG_CONFIG_HOME", ".config", "containers/auth.json"),
        ("DOCKER_CONFIG", ".docker", "config.json"),
    ):
        if environment.get(variable):
            yield Path(environment[variable], name), False
        elif home:
            yield Path(home, directory, name), False


def _read(path: Path, *, must_exist: bool) -> _Document | None:
    """Return what a file says, or None where there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_AUTH_FILE + 1)
    except FileNotFoundError:
        if not must_exist:
            return None
        raise UsageError(
            f"{path}: there is no such file of logins",
            advice="make it with: skopeo login --authfile FILE REGISTRY",
        ) from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    if len(data) > MAX_AUTH_FILE:
        raise UsageError(f"{path}: over {MAX_AUTH_FILE} bytes is no file of logins")
    try:
        return msgspec.json.decode(data, type=_Document)
    except (msgspec.DecodeError, RecursionError):
        raise UsageError(
            f"{path}: this is no file of logins that docker or podman writes",
            advice="log in again, or name another file with --auth-file",
        ) from None


async def _from_helper(
    host: str, document: _Document, environment: Mapping[str, str]
) -> Login | None:
    """Ask the helper that a file names for a registry, or for all."""
    for key in _keys(host):
        helper = document.cred_helpers.get(key) or document.creds_store
        if helper:
            answer = await ask_helper(helper, key, environment)
            if answer is not None:
                return _of_helper(*answer)
    return None


def _of_helper(username: str, secret: str) -> Login:
    if username == "<token>":
        return Login("", identity_token=secret)
    return Login(username, secret)


def _from_file(
    host: str, repository: str, document: _Document, path: Path
) -> Login | None:
    """Return the login for the longest name that fits, or None."""
    named = {_plain(key): entry for key, entry in document.auths.items()}
    for key in _keys(host):
        names = [key, *(f"{_plain(key)}/{part}" for part in _prefixes(repository))]
        for name in reversed(names):
            entry = document.auths.get(name) or named.get(name)
            login = None if entry is None else _of_entry(entry, path)
            if login is not None:
                return login
    return None


def _of_entry(entry: _Entry, path: Path) -> Login | None:
    username, password = entry.username, entry.password
    if entry.auth:
        try:
            pair = base64.b64decode(entry.auth, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise UsageError(
                f"{path}: a login in it cannot be read", advice="log in again"
            ) from None
        username, _, password = pair.partition(":")
    if not username and not entry.identitytoken:
        return None
    return Login(username, password.rstrip("\0"), entry.identitytoken)


def _keys(host: str) -> tuple[str, ...]:
    return _HUB_KEYS if host == DOCKER_HUB else (host,)


def _plain(key: str) -> str:
    """Return a key as references write it: docker used to write URLs.

    >>> _plain("https://registry.example.com/v2/")
    'registry.example.com'
    """
    _, scheme, rest = key.partition("://")
    if not scheme:
        return key
    return rest.partition("/")[0]


def _prefixes(repository: str) -> list[str]:
    """Return a repository and what is above it, the shortest first.

    >>> _prefixes("a/b/c")
    ['a', 'a/b', 'a/b/c']
    """
    parts = repository.split("/") if repository else []
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]
