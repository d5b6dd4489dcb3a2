"""A token server for a real registry: the other half of the bearer dance.

It checks a name and a password and signs what they may do, as a JWT that the
registry verifies by a certificate.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.certificates import make_certificate
from tests.registry.fake import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVICE = "tests"
ISSUER = "the tests' own token server"


@dataclass
class TokenServer:
    """A running token server; ``granted`` are the scopes it gave."""

    settings: dict[str, str]
    login: tuple[str, str]
    key: ec.EllipticCurvePrivateKey
    certificate: bytes
    granted: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        pair = base64.b64encode(":".join(self.login).encode()).decode()
        if request.headers.get("Authorization") != f"Basic {pair}":
            return web.json_response({"errors": []}, status=401)
        scopes = request.query.getall("scope", [])
        self.granted += scopes
        return web.json_response({"token": self.sign(scopes), "expires_in": 60})

    def sign(self, scopes: list[str]) -> str:
        """Return a JWT that allows what the scopes ask for."""
        now = int(time.time())  # noqa: TID251 - the registry looks at its own clock
        claims = {
            "iss": ISSUER,
            "sub": self.login[0],
            "aud": SERVICE,
            "nbf": now - 60,
            "iat": now - 60,
            "exp": now + 60,
            "access": [_access(scope) for scope in scopes],
        }
        head = {
            "typ": "JWT",
            "alg": "ES256",
            "x5c": [base64.b64encode(self.certificate).decode()],
        }
        text = f"{_part(head)}.{_part(claims)}"
        der = self.key.sign(text.encode(), ec.ECDSA(hashes.SHA256()))
        r, s = decode_dss_signature(der)
        return f"{text}.{_encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _access(scope: str) -> dict[str, Any]:
    kind, name, actions = scope.split(":")
    return {"type": kind, "name": name, "actions": actions.split(",")}


def _part(value: object) -> str:
    return _encoded(json.dumps(value).encode())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextlib.contextmanager
def tokens_for(directory: Path) -> Iterator[TokenServer]:
    """Run a token server; ``settings`` is what a registry is told about it."""
    made = make_certificate(directory)
    key = serialization.load_pem_private_key(made.key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    certificate = x509.load_pem_x509_certificate(made.chain.read_bytes())
    server = TokenServer(
        {"service": SERVICE, "issuer": ISSUER, "rootcertbundle": str(made.authority)},
        ("carrier", "a password, made up"),
        key,
        certificate.public_bytes(serialization.Encoding.DER),
    )
    with serving(server.answer) as url:
        server.settings["realm"] = f"{url}/token"
        yield server
