"""A real object store on the loopback: a Ceph monitor, one OSD, a RADOS gateway.

The data is in memory, the keys are made up, and every process ends with the
``with``, or with this process if that is killed. It takes Debian's packages
``radosgw ceph-mon ceph-osd ceph-common ceph-base``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.certificates import make_certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAMS: Final = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph")
PATIENCE: Final = 180
"""Seconds that it may take on a machine that does other things too."""

CONFIGURATION: Final = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{monitor}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
keyring = {root}/keyring
run dir = {root}
admin socket =
pid file =
log file = {root}/$name.log
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 2
osd pool default pgp num = 2
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data avail crit = 1
mon max pg per osd = 2000
osd class load list = *
osd class default list = *
rgw log http headers =
rgw enable ops log = false
[mon.a]
mon data = {root}/mon.a
[osd]
osd data = {root}/osd.$id
osd objectstore = memstore
memstore device bytes = {room}
"""

KEYS: Final = {
    "mon.": ("mon", "allow *"),
    "client.admin": ("mon", "allow *", "osd", "allow *", "mgr", "allow *"),
    "osd.0": ("mon", "allow profile osd", "osd", "allow *"),
    "client.rgw": ("mon", "allow rw", "osd", "allow rwx"),
}


def installed() -> bool:
    """Return whether everything that it takes is on this machine."""
    return all(map(shutil.which, PROGRAMS))


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway: two addresses of one store, and who may use it."""

    http: str
    https: str
    authority: Path
    access_key: str = "test"
    secret_key: str = "test"  # noqa: S105 - opens nothing

    @property
    def environment(self) -> dict[str, str]:
        """What clients of Amazon's kind read; the endpoint is for them to choose."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextlib.contextmanager
def running(root: Path, *, room: int = 4 << 30) -> Iterator[Gateway]:
    """Run a gateway whose files are below ``root``; ``room`` is bytes of memory."""
    root.mkdir(parents=True, exist_ok=True)
    certificate = make_certificate(root / "tls")
    monitor, plain, secure = _free_ports(3)
    gateway = Gateway(
        f"http://127.0.0.1:{plain}",
        f"https://127.0.0.1:{secure}",
        certificate.authority,
    )
    fsid = str(uuid.uuid4())
    (root / "ceph.conf").write_text(
        CONFIGURATION.format(fsid=fsid, monitor=monitor, root=root, room=room)
    )
    for name, caps in KEYS.items():
        pairs = zip(caps[::2], caps[1::2], strict=True)
        words = [word for pair in pairs for word in ("--cap", *pair)]
        create = [] if (root / "keyring").exists() else ["--create-keyring"]
        _run(root, "ceph-authtool", "keyring", *create, "--gen-key", "-n", name, *words)
    frontends = (
        f"beast endpoint=127.0.0.1:{plain} ssl_endpoint=127.0.0.1:{secure} "
        f"ssl_certificate={certificate.chain} ssl_private_key={certificate.key}"
    )
    with contextlib.ExitStack() as stack:
        _start_monitor(root, stack, fsid, monitor)
        _start_osd(root, stack)
        gate = ("radosgw", "-f", "-n", "client.rgw", "--rgw-frontends", frontends)
        _serve(root, stack, *gate, "--rgw-data", str(root))
        _await(gateway.http, root)
        identity = ("--uid=test", "--display-name=test")
        keys = (
            f"--access-key={gateway.access_key}",
            f"--secret-key={gateway.secret_key}",
        )
        _ceph(root, "radosgw-admin", "user", "create", *identity, *keys)
        yield gateway


def _start_monitor(
    root: Path, stack: contextlib.ExitStack, fsid: str, port: int
) -> None:
    where = f"[v2:127.0.0.1:{port}]"
    make = ("monmaptool", "--create", "--clobber", "--fsid", fsid)
    _run(root, *make, "--addv", "a", where, "monmap")
    (root / "mon.a").mkdir()
    files = ("--monmap", "monmap", "--keyring", "keyring")
    _ceph(root, "ceph-mon", "--mkfs", "-i", "a", *files)
    _serve(root, stack, "ceph-mon", "-f", "-i", "a")
    for name in ("osd.0", "client.rgw"):
        _ceph(root, "ceph", "auth", "import", "-i", "keyring", about=name)


def _start_osd(root: Path, stack: contextlib.ExitStack) -> None:
    name = str(uuid.uuid4())
    (root / "osd.0").mkdir()
    _ceph(root, "ceph", "osd", "new", name)
    _ceph(root, "ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", name)
    _serve(root, stack, "ceph-osd", "-f", "-i", "0")


def _serve(root: Path, stack: contextlib.ExitStack, program: str, *words: str) -> None:
    # It ends when this process does, even when that is killed.
    leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    log = stack.enter_context((root / f"{program}.out").open("wb"))
    process = stack.enter_context(
        subprocess.Popen(
            [*leash, program, "-c", str(root / "ceph.conf"), *words],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(),
        )
    )
    stack.callback(process.kill)


def _ceph(root: Path, program: str, *words: str, about: str = "") -> None:
    _run(root, program, "-c", str(root / "ceph.conf"), *words, about=about)


def _run(root: Path, *command: str, about: str = "") -> None:
    done = subprocess.run(
        command,
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE,
        check=False,
        env=_environment(),
    )
    if done.returncode:
        said = done.stdout.decode(errors="replace")[-2000:]
        raise RuntimeError(f"{command} {about}: {said}")


def _environment() -> dict[str, str]:
    return {**os.environ, "CEPH_ARGS": "", "CEPH_CONF": "/dev/null"}


def _await(url: str, root: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with (
            contextlib.suppress(urllib.error.URLError, ConnectionError),
            urllib.request.urlopen(url, timeout=5),  # noqa: S310 - our own server
        ):
            return
        time.sleep(0.1)
    said = (root / "radosgw.out").read_text(errors="replace")[-2000:]
    raise RuntimeError(f"the gateway did not come up: {said}")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
