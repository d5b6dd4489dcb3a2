"""Real registries on the loopback: Debian's docker-registry, as it comes.

Each has a free port and a directory of its own, with or without a login, TLS or a
token server, and ends with the ``with``. Clients that are not ours, ``skopeo`` and
``curl``'s kin, look at it past all of our code.
"""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from bundle.registry.options import RegistryOptions
from tests.certificates import make_certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM: Final = "docker-registry"
SKOPEO: Final = "skopeo"
PATIENCE: Final = 60
"""Seconds that it may take on a machine that does other things too."""

WHY: Final = "there is no {} here: 'make test' as root installs it"
USER: Final = ("carrier", "a password, made up")
HASHED: Final = "$2y$04$abcdefghijklmnopqrstuuUMQwYp5W0.zlfYNQqtnbvAXEdOXR5iy"
"""The password as the registry wants it: bcrypt, and as few rounds as it takes."""


def installed(*programs: str) -> bool:
    """Return whether the registry and what else is needed are on this machine."""
    return all(map(shutil.which, (PROGRAM, *programs)))


@dataclass
class RealRegistry:
    """A running registry; ``host`` is what references call it."""

    root: Path
    host: str
    scheme: str = "http"
    ca: Path | None = None
    login: tuple[str, str] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}"

    @property
    def log(self) -> str:
        return (self.root / "log").read_text()

    def options(self, **changes: Any) -> RegistryOptions:  # noqa: ANN401 - fields of it
        """Return how our client talks to it."""
        fields: dict[str, Any] = {
            "plain_http": self.scheme == "http",
            "ca": self.ca,
            "environment": self.environment,
        }
        return RegistryOptions(**{**fields, **changes})

    def get(self, path: str, accept: str = "*/*") -> tuple[int, bytes, dict[str, str]]:
        """Return the answer to a GET past our own code."""
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{self.url}/v2/{path}", headers={"Accept": accept}
        )
        if self.login is not None:
            pair = base64.b64encode(":".join(self.login).encode()).decode()
            request.add_header("Authorization", f"Basic {pair}")
        context = ssl.create_default_context(cafile=self.ca) if self.ca else None
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=context),
        )
        try:
            with opener.open(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read(), dict(answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, error.read(), dict(error.headers)

    def digest(self, name: str, reference: str) -> str | None:
        """Return the digest that a tag has, or None where there is no such tag."""
        accept = ", ".join(
            f"application/vnd.{kind}+json"
            for kind in (
                "oci.image.index.v1",
                "oci.image.manifest.v1",
                "docker.distribution.manifest.v2",
                "docker.distribution.manifest.list.v2",
            )
        )
        status, _, headers = self.get(f"{name}/manifests/{reference}", accept)
        return headers["Docker-Content-Digest"] if status == 200 else None

    def tags(self, name: str) -> list[str]:
        """Return the tags of a repository."""
        status, body, _ = self.get(f"{name}/tags/list")
        return sorted(json.loads(body)["tags"] or []) if status == 200 else []

    def requests(self, method: str, path: str = "") -> list[str]:
        """Return the requests of a method, as its log has them, in order."""
        lines = (line for line in self.log.splitlines() if f'"{method} /v2/' in line)
        return [line for line in lines if path in line]

    def skopeo(self, *words: str) -> str:
        """Run skopeo, which has its own home and asks for no signatures."""
        home = self.root / "home"
        home.mkdir(exist_ok=True)
        done = subprocess.run(
            [SKOPEO, "--insecure-policy", *words],
            env={"HOME": str(home), "PATH": "/usr/bin:/bin", "TMPDIR": str(home)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def source_flags(self) -> list[str]:
        """What skopeo copy takes to read from it."""
        return self._flags("src")

    @property
    def target_flags(self) -> list[str]:
        """What skopeo copy takes to write to it."""
        return self._flags("dest")

    def _flags(self, side: str) -> list[str]:
        flags = [f"--{side}-tls-verify={'true' if self.ca else 'false'}"]
        if self.ca is not None:
            directory = self.root / "certs"
            directory.mkdir(exist_ok=True)
            shutil.copy(self.ca, directory / "ca.crt")
            flags.append(f"--{side}-cert-dir={directory}")
        if self.login is not None:
            flags.append(f"--{side}-creds={':'.join(self.login)}")
        return flags


@contextlib.contextmanager
def running(
    root: Path,
    *,
    with_login: bool = False,
    tls: bool = False,
    token: dict[str, str] | None = None,
) -> Iterator[RealRegistry]:
    """Run a registry below ``root``; ``token`` is its section of the configuration."""
    root.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    login = USER if with_login else None
    registry = RealRegistry(root, f"127.0.0.1:{port}", login=login)
    registry.environment = {"HOME": str(root), "XDG_CACHE_HOME": str(root / "cache")}
    http: dict[str, Any] = {"addr": registry.host}
    if tls:
        made = make_certificate(root / "tls")
        http["tls"] = {"certificate": str(made.chain), "key": str(made.key)}
        registry.scheme, registry.ca = "https", made.authority
    settings: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {
            "filesystem": {"rootdirectory": str(root / "data")},
            "delete": {"enabled": True},
        },
        "http": http,
    }
    if login is not None:
        settings["auth"] = {"htpasswd": _htpasswd(root)}
        write_login(registry, login)
    if token is not None:
        settings["auth"] = {"token": token}
    configuration = root / "registry.yml"
    configuration.write_text(json.dumps(settings))  # JSON is YAML
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM, "serve", str(configuration)], stdout=log, stderr=log
        )
    try:
        _wait(registry, process)
        yield registry
    finally:
        process.terminate()
        process.wait()


def write_login(registry: RealRegistry, login: tuple[str, str]) -> Path:
    """Write the login where docker keeps it, in the registry's own home."""
    pair = base64.b64encode(":".join(login).encode()).decode()
    path = registry.root / ".docker" / "config.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"auths": {registry.host: {"auth": pair}}}))
    return path


def _htpasswd(root: Path) -> dict[str, str]:
    path = root / "htpasswd"
    path.write_text(f"{USER[0]}:{HASHED}\n")
    return {"realm": "tests", "path": str(path)}


def _wait(registry: RealRegistry, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            registry.get("")
            return
        time.sleep(0.02)
    raise AssertionError(f"no registry: {registry.log[-500:]}")
