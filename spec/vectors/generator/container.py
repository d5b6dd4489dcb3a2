"""What a vector file is: a text header, a blank line and a body of four kinds of line.

``README.md`` beside the vectors describes it for readers in any language. Written
here and read back here, so that the two cannot drift apart.

>>> print(render(refuse("slug", "a_dot_last", "2.2.2", b"a.", "A dot.", names="2.2")))
parse: slug
rule: 2.2.2
expect: refused
exit: 10
names: 2.2
comment: A dot.
blake3: bf6d906ecb7fd5ee626b6943771d578f63f41964ad03b0bb4dde5b08b6ecf57e
<BLANKLINE>
'a.
<BLANKLINE>
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from blake3 import blake3

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LINE: Final = 32
"""Bytes in one line of hexadecimal digits."""

_RUN: Final = re.compile(rb"(.)\1{15,}|(.{4})\2{7,}", re.DOTALL)
_TEXT: Final = re.compile(rb"[ -~]*[!-~]")
_NAME: Final = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Repeat:
    """``unit``, ``count`` times in a row."""

    unit: bytes
    count: int


@dataclass(frozen=True)
class Same:
    """The bytes of another file of the vector, or of its base."""

    name: str


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True)
class Absent:
    """A file of the base that is not there."""


Content: TypeAlias = "bytes | tuple[bytes | Repeat, ...] | Same | Link | Absent"
Body: TypeAlias = "bytes | tuple[bytes | Repeat, ...] | Mapping[str, Content]"


@dataclass(frozen=True)
class Vector:
    """One scenario; ``given`` are parameters and ``value`` is what a reader finds.

    ``rules`` are those it breaks or shows, the most telling one first. ``exit`` is
    0 where it is accepted. ``names`` is the rule that a reader names where it is
    not the first of ``rules``.
    """

    kind: str
    name: str
    rules: tuple[str, ...]
    comment: str
    body: Body
    exit: int = 0
    names: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    value: Mapping[str, Any] | None = None

    @property
    def path(self) -> str:
        """Where the vector lies, from the directory of all vectors."""
        return f"{self.kind}/{self.name}"


def accept(
    kind: str,
    name: str,
    rules: str,
    body: Body,
    comment: str,
    *,
    given: Mapping[str, Any] | None = None,
    value: Mapping[str, Any] | None = None,
) -> Vector:
    """Return a vector that a reader accepts; ``rules`` are separated by blanks."""
    return Vector(
        kind, name, tuple(rules.split()), comment, body, given=given or {}, value=value
    )


def refuse(
    kind: str,
    name: str,
    rules: str,
    body: Body,
    comment: str,
    *,
    exit: int = 10,  # noqa: A002 - the word of the header
    names: str = "",
    given: Mapping[str, Any] | None = None,
) -> Vector:
    """Return a vector that a reader refuses with ``exit``."""
    first, *more = rules.split()
    return Vector(
        kind,
        name,
        (first, *more),
        comment,
        body,
        exit=exit,
        names="" if names == first else names,
        given=given or {},
    )


def render(vector: Vector) -> str:
    """Return the vector file."""
    lines = [f"parse: {vector.kind}", f"rule: {' '.join(vector.rules)}"]
    lines.append(f"expect: {'refused' if vector.exit else 'accepted'}")
    if vector.exit:
        lines.append(f"exit: {vector.exit}")
    if vector.names:
        lines.append(f"names: {vector.names}")
    if vector.given:
        lines.append(f"given: {_json(vector.given)}")
    if vector.value is not None:
        lines.append(f"value: {_json(vector.value)}")
    lines.append(f"comment: {vector.comment}")
    body = list(_body_lines(vector.body))
    _, digest = _read_body(body)
    lines.append(f"blake3: {digest}")
    return "\n".join([*lines, "", *body, ""])


def parse(text: str) -> Vector:
    """Return the vector in a vector file.

    Raises:
        ValueError: it is not one, or the body has not the digest of the header.
    """
    head, blank, rest = text.partition("\n\n")
    header = dict(line.split(": ", 1) for line in head.split("\n"))
    if not blank or text[-1:] != "\n":
        raise ValueError("a vector ends its header in a blank line, its lines in LF")
    body, digest = _read_body(rest.split("\n")[:-1])
    if digest != header["blake3"]:
        raise ValueError(f"the body is {digest}")
    kind = header["parse"]
    return Vector(
        kind=kind,
        name="",
        rules=tuple(header["rule"].split(" ")),
        comment=header["comment"],
        body=body,
        exit=int(header.get("exit", "0")),
        names=header.get("names", ""),
        given=json.loads(header.get("given", "{}")),
        value=json.loads(header["value"]) if "value" in header else None,
    )


def joined(parts: bytes | tuple[bytes | Repeat, ...]) -> bytes:
    """Return the bytes that parts stand for."""
    if isinstance(parts, bytes):
        return parts
    return b"".join(
        part.unit * part.count if isinstance(part, Repeat) else part for part in parts
    )


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _body_lines(body: Body) -> Iterator[str]:
    if isinstance(body, bytes | tuple):
        yield from _lines(body)
        return
    for name, content in body.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"a file called {name!r}")
        if isinstance(content, Same):
            yield f"@ {name} = {content.name}"
        elif isinstance(content, Link):
            yield f"@ {name} -> {content.target}"
        elif isinstance(content, Absent):
            yield f"@ {name} -"
        else:
            yield f"@ {name}"
            yield from _lines(content)


def _lines(content: bytes | tuple[bytes | Repeat, ...]) -> Iterator[str]:
    for part in content if isinstance(content, tuple) else (content,):
        if isinstance(part, Repeat):
            yield f"{part.unit.hex()} * {part.count}"
            continue
        *whole, rest = part.split(b"\n")
        if all(_TEXT.fullmatch(line) for line in whole) and (
            not rest or _TEXT.fullmatch(rest)
        ):
            yield from (f'"{line.decode("ascii")}' for line in whole)
            yield from (f"'{line.decode('ascii')}" for line in [rest] if line)
        else:
            yield from _hex(part)


def _hex(data: bytes) -> Iterator[str]:
    """Yield lines of digits; what repeats is written once, with a count."""
    end = 0
    for run in _RUN.finditer(data):
        yield from _plain(data[end : run.start()])
        unit = run[1] or run[2]
        yield f"{unit.hex()} * {(run.end() - run.start()) // len(unit)}"
        end = run.end()
    yield from _plain(data[end:])


def _plain(data: bytes) -> Iterator[str]:
    for start in range(0, len(data), LINE):
        yield data[start : start + LINE].hex()


def _read_body(lines: list[str]) -> tuple[Body, str]:
    """Return a body and the digest of all the bytes that its lines give."""
    hasher = blake3()
    files: dict[str, Content] = {}
    open_file: str | None = None
    data: list[bytes | Repeat] = []
    for line in [*lines, "@"]:
        if line[0] != "@":
            part = _read_line(line)
            data.append(part)
            hasher.update(joined((part,)))
            continue
        if open_file is not None:
            files[open_file], data = _packed(data), []
        open_file, files = _read_file(line, files)
    return (files or _packed(data)), hasher.hexdigest()


def _read_file(
    line: str, files: dict[str, Content]
) -> tuple[str | None, dict[str, Content]]:
    """Read a line that begins with ``@``; return which file's bytes follow."""
    words = line.split(" ")[1:]
    if len(words) == 1:
        return words[0], files
    if len(words) == 2:
        return None, files | {words[0]: Absent()}
    if len(words) == 3:
        other = Same(words[2]) if words[1] == "=" else Link(words[2])
        return None, files | {words[0]: other}
    return None, files


def _packed(parts: list[bytes | Repeat]) -> bytes | tuple[bytes | Repeat, ...]:
    """Return parts as bytes, unless they would be many."""
    if sum(part.count for part in parts if isinstance(part, Repeat)) > 1 << 16:
        return tuple(parts)
    return joined(tuple(parts))


def _read_line(line: str) -> bytes | Repeat:
    if line[0] == "'":
        return line[1:].encode("ascii")
    if line[0] == '"':
        return line[1:].encode("ascii") + b"\n"
    digits, times, count = line.partition(" * ")
    return Repeat(bytes.fromhex(digits), int(count)) if times else bytes.fromhex(digits)
