"""Runs a reader of bundles against every attack here; needs Python 3.11 alone.

``README.md`` beside this file says what to give it. It exits with 1 if one attack
was not refused as it should be.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import os
import shlex
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
VECTORS: Final = HERE.parent
LANDMARK: Final = "bundle-attack-was-here"


@dataclass(frozen=True)
class Attack:
    """One attack: what its header says, and the files of its medium."""

    name: str
    header: dict[str, str]
    given: dict[str, Any]
    files: dict[str, Any]


def read(path: Path) -> Attack:
    """Return the vector at ``path``, with the files of its base."""
    head, _, body = path.read_text().partition("\n\n")
    header = dict(line.split(": ", 1) for line in head.split("\n"))
    given = json.loads(header.get("given", "{}"))
    base = read(VECTORS / given["base"]).files if "base" in given else {}
    files = dict(base)
    name = ""
    for line in body.split("\n")[:-1]:
        if not line.startswith("@"):
            files[name] = files.get(name, b"") + _bytes(line)
            continue
        _, name, *more = line.split(" ")
        if not more:
            files[name] = b""
        elif more[0] == "-":
            files.pop(name, None)
        else:
            files[name] = (more[0], more[1])
    for name, content in files.items():
        if isinstance(content, tuple) and content[0] == "=":
            files[name] = files.get(content[1], base.get(content[1]))
    return Attack(path.parent.name, header, given, files)


def _bytes(line: str) -> bytes:
    """Return the bytes of one line of a body."""
    if line[0] in "'\"":
        return line[1:].encode() + (b"\n" if line[0] == '"' else b"")
    digits, _, count = line.partition(" * ")
    return bytes.fromhex(digits) * int(count or 1)


def lay(attack: Attack, directory: Path) -> None:
    """Write the medium of an attack."""
    for name, content in attack.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, tuple):
            path.symlink_to(content[1])
        else:
            path.write_bytes(content)
    if crowd := attack.given.get("crowd"):
        for number in range(1, 4096):
            (directory / crowd / str(number)).touch()


def snapshot(root: Path) -> dict[str, tuple[Any, ...]]:
    """Return every name below ``root`` with its kind and content."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in sorted(root.rglob("*")):
        mode = path.lstat().st_mode
        what: tuple[Any, ...] = (stat.S_IFMT(mode),)
        if stat.S_ISLNK(mode):
            what = (*what, os.readlink(path))  # noqa: PTH115 - as text
        elif stat.S_ISREG(mode):
            what = (*what, hashlib.sha256(path.read_bytes()).hexdigest())
        found[str(path.relative_to(root))] = what
    return found


@dataclass(frozen=True)
class Reader:
    """The commands of whoever is tried."""

    enrol: str
    unpack: str
    stream: str

    def command(self, text: str, attack: Attack, place: Path) -> list[str]:
        """Return a command with its words filled in."""
        given = attack.given["receiver"]
        scheme = attack.given.get("target", "tree")
        words = {
            "{bundle}": str(place / "bundle"),
            "{root}": str(place / "root.json"),
            "{target}": f"{scheme}:{place / 'target'}",
            "{directory}": str(place / "target"),
            "{state}": str(place / "state"),
            "{clock}": given["clock"],
        }
        made: list[str] = []
        for word in shlex.split(text):
            if word == "{site}":
                made += ["--site", given["site"]] if given["site"] else []
            elif word == "{strict}":
                made += ["--strict"] if given["strict"] else []
            else:
                for name, value in words.items():
                    word = word.replace(name, value)  # noqa: PLW2901 - one after another
                made.append(word)
        return made


def run(reader: Reader, attack: Attack, scratch: Path) -> str:
    """Return what is wrong with how an attack was met, or nothing."""
    place = scratch / "place"
    (place / "target").mkdir(parents=True)
    (place / "target" / "mine").write_bytes(b"not yours")
    (place / "outside").mkdir()
    (place / "outside" / "sentinel").write_bytes(b"as it was")
    root = attack.given["receiver"]["root"]
    if root:
        (place / "root.json").write_bytes(read(VECTORS / root).files[""])
        _call(reader.command(reader.enrol, attack, place))
    for name in attack.given.get("before", ()):
        earlier = read(VECTORS / name)
        lay(earlier, scratch / "before")
        command = reader.command(reader.unpack, attack, place)
        there, here = str(scratch / "before"), str(place / "bundle")
        ran = _call([there if word == here else word for word in command])
        if ran.returncode:
            return f"{name} was to be accepted first: {ran.stderr.strip()}"
    if attack.header["parse"] == "bundle":
        lay(attack, place / "bundle")
    before = _around(place)
    if attack.header["parse"] == "stream":
        ran = _call(reader.command(reader.stream, attack, place), _stream(attack))
    else:
        ran = _call(reader.command(reader.unpack, attack, place))
    if _around(place) != before:
        return "something changed that should not"
    if [*scratch.rglob(f"*{LANDMARK}*")] or Path("/tmp", LANDMARK).exists():  # noqa: S108 - where attacks lead
        return f"there is a file called {LANDMARK}"
    if str(ran.returncode) != attack.header["exit"]:
        return f"exit {ran.returncode}, not {attack.header['exit']}"
    return "" if ran.stderr.strip() else "no reason was given"


def _around(place: Path) -> dict[str, tuple[Any, ...]]:
    """Return everything but what the reader itself remembers."""
    return {
        name: what
        for name, what in snapshot(place).items()
        if not f"{name}/".startswith("state/")
    }


def _call(command: list[str], data: bytes = b"") -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the command is the caller's
        command,
        input=data.decode("latin-1"),
        capture_output=True,
        text=True,
        encoding="latin-1",
        timeout=120,
        check=False,
    )


def _stream(attack: Attack) -> bytes:
    """Return the entries of a stream (80.1); its checks are BLAKE3."""
    from blake3 import blake3  # noqa: PLC0415 - for streams alone

    whole = b""
    for name in attack.given["entries"]:
        data = attack.files[name] if name else b""
        head = b"\x89BDE\r\n\x1a\n" + bytes((1, 0, 0, 0))
        head += len(name).to_bytes(4, "little") + len(data).to_bytes(8, "little")
        head += bytes(32)
        whole += head + blake3(head).digest(8) + name.encode() + data
    return whole[: attack.given.get("size")]


def left_out(reader: Reader, attack: Attack) -> str:
    """Return why an attack is not run, or nothing."""
    given = attack.given
    if given.get("reader") == "verify":
        return "for a verifier"
    if given["receiver"]["marks"] or given["receiver"]["marks"] is None:
        return "a state of another kind"
    if attack.header["parse"] == "stream" and not reader.stream:
        return "a stream"
    now = dt.datetime.now(dt.UTC)
    clock = dt.datetime.fromisoformat(given["receiver"]["clock"])
    made = dt.datetime.fromisoformat("2026-01-31T12:00:00+00:00")
    if "{clock}" not in reader.unpack and (now < made or clock < made or clock > now):
        return "another clock"
    return ""


def main() -> int:
    """Run what the command line asks for; return 1 if an attack got through."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--enrol", default="true", help="makes {state} trust {root}")
    parser.add_argument("--unpack", required=True, help="unpacks {bundle} to {target}")
    parser.add_argument("--stream", default="", help="the same from standard input")
    parser.add_argument("--only", action="append", help="the name of an attack")
    options = parser.parse_args()
    reader = Reader(options.enrol, options.unpack, options.stream)
    names = options.only or sorted(one.name for one in HERE.iterdir() if one.is_dir())
    passed = failed = skipped = 0
    for name in names:
        attack = read(HERE / name / "attack")
        if left_out(reader, attack):
            skipped += 1
            continue
        with tempfile.TemporaryDirectory() as scratch:
            wrong = run(reader, attack, Path(scratch))
        passed, failed = passed + (not wrong), failed + bool(wrong)
        if wrong:
            print(f"{name}: {wrong}")
    print(f"{passed} refused as they should be, {failed} not, {skipped} left out")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
