"""How vectors of envelopes, keys, roots and policies go through this package."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from bundle.digest import Digest
from bundle.limits import MAX_ENVELOPE
from bundle.state.receiver import enrol
from bundle.trust import envelope
from bundle.trust.chain import follow_roots, newest_roles
from bundle.trust.keys import PrivateKey, PublicKey
from bundle.trust.policy import Mark, Receiver, ReleaseFacts, judge, next_mark
from bundle.trust.receipts import read_receipt
from bundle.trust.roles import PACKER, Role, Roles, Root, fingerprint_text, read_root
from bundle.trust.terms import Policy
from bundle.wire import read_moment, write_json, write_moment
from spec.vectors.generator.container import (
    Absent,
    Content,
    Link,
    Same,
    Vector,
    joined,
    parse,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

WARNINGS = {
    "4.2": "not part of the bundle",
    "22.5.4": "revocation and roll-back not checked",
    "23.2.5": "does not follow release",
    "23.2.6": "had that name",
    "23.4.2": "rolled back on purpose",
    "24.2.1": "expired on",
}
"""Words of the warning that each rule asks for."""


def read_envelope(vector: Vector, data: bytes) -> dict[str, Any]:
    given = vector.given
    keys = [PublicKey.parse(text) for text in given["keys"]]
    found = envelope.verify(
        data, given["payloadType"], keys, given["threshold"], limit=MAX_ENVELOPE
    )
    signed = list(found.verification.signed)
    return {"payload": found.payload.hex(), "signed": signed}


def read_signature(_: Vector, data: bytes) -> dict[str, Any]:
    found = envelope.parse_detached(data)
    return {"keyid": found.keyid, "sig": found.raw.hex()}


def read_key(_: Vector, data: bytes) -> dict[str, Any]:
    return {"keyid": PublicKey.parse(data.decode()).keyid}


def read_private_key(_: Vector, data: bytes) -> dict[str, Any]:
    return {"public": PrivateKey.from_pem(data).public.raw.hex()}


def read_root_file(_: Vector, data: bytes) -> dict[str, Any]:
    return root_value(read_root(data))


def root_value(root: Root) -> dict[str, Any]:
    return {
        "version": root.version,
        "expires": root.expires,
        "name": root.name,
        "fingerprint": str(root.fingerprint),
        "spoken": fingerprint_text(root),
    }


def files_of(vector: Vector, vectors: Path) -> dict[str, bytes | Link]:
    """Return the files of a vector: those of its base, and on top its own."""
    base: dict[str, Content] = {}
    if "base" in vector.given:
        base = _contents(parse((vectors / vector.given["base"]).read_text()))
    files = base | _contents(vector)
    found: dict[str, bytes | Link] = {}
    for name, content in files.items():
        meant = content
        if isinstance(content, Same):
            meant = files[content.name]
            meant = base[content.name] if isinstance(meant, Absent) else meant
        if isinstance(meant, bytes | tuple):
            found[name] = joined(meant)
        elif isinstance(meant, Link):
            found[name] = meant
    return found


def _contents(vector: Vector) -> dict[str, Content]:
    if not vector.body:
        return {}
    assert not isinstance(vector.body, bytes | tuple)
    return dict(vector.body)


def read_trust(vector: Vector, vectors: Path) -> dict[str, Any]:
    given = vector.given
    found = files_of(vector, vectors).items()
    files = {name: data for name, data in found if isinstance(data, bytes)}
    root = read_root(files[given["root"]])
    for newer in follow_roots(root, files):
        root = newer
    roles = newest_roles(root, files, kept=given.get("kept", 0))
    packer = roles.role(PACKER)
    keys = [key.raw.hex() for key in packer.keys]
    return {
        "root": root.version,
        "roles": roles.version,
        "packer": {"keys": keys, "threshold": packer.threshold},
    }


def read_enrolment(vector: Vector, data: bytes, vectors: Path, scratch: Path) -> Any:  # noqa: ANN401 - JSON
    given = vector.given
    if "enrolled" in given:
        before = parse((vectors / "root" / given["enrolled"]).read_text())
        assert isinstance(before.body, bytes)
        enrol(scratch, before.body)
    return root_value(enrol(scratch, data, given.get("fingerprint")))


def mark_of(document: Mapping[str, Any]) -> Mark:
    return Mark(
        stream=document["stream"],
        name=document["name"],
        seq=document["seq"],
        release=document["release"],
        trusted_time=read_moment(document["trustedTime"], rule="8.3.7"),
    )


def warned(messages: tuple[str, ...]) -> list[str]:
    """Return the rules that warnings are about."""
    return sorted(
        rule
        for message in messages
        for rule, words in WARNINGS.items()
        if words in message
    )


def read_policy(_: Vector, data: bytes) -> dict[str, Any]:
    document = json.loads(data)
    said, here = document["release"], document["receiver"]
    marks = [mark_of(mark) for mark in here["marks"]]
    facts = ReleaseFacts(
        stream=said["stream"],
        name=said["name"],
        seq=said["seq"],
        digest=Digest.parse(said["digest"]),
        prev=said["prev"],
        audience=tuple(said["audience"]),
        created=read_moment(said["created"], rule="8.3.7"),
        expires=None
        if said["expires"] is None
        else read_moment(said["expires"], rule="8.3.7"),
        root_version=said["trustVersion"]["root"],
        roles_version=said["trustVersion"]["roles"],
        artifacts=tuple((kind, name) for kind, name in said.get("artifacts", ())),
        signers=tuple(said.get("signers", ())),
        approvers=tuple(said.get("approvers", ())),
    )
    others = [mark for mark in marks if mark.stream != facts.stream]
    receiver = Receiver(
        mark=next((mark for mark in marks if mark.stream == facts.stream), None),
        site=here["site"],
        clock=read_moment(here["clock"], rule="8.3.7"),
        trusted_time=max((mark.trusted_time for mark in marks), default=0),
        root_version=here["root"],
        roles_version=here["roles"],
        namesakes=tuple(mark.stream for mark in others if mark.name == facts.name),
        strict=here["strict"],
        policy=msgspec.convert(here.get("policy", {}), Policy),
        rolls_back=here.get("rollsBack", False),
    )
    decision = judge(facts, receiver)
    assert len(warned(decision.warnings)) == len(decision.warnings)
    return {
        "warnings": warned(decision.warnings),
        "replay": decision.replay,
        "trustedTime": write_moment(next_mark(facts, receiver).trusted_time),
    }


def read_receipt_file(vector: Vector, data: bytes) -> dict[str, Any]:
    roles = {
        f"site:{site}": Role(f"site:{site}", tuple(map(PublicKey.parse, keys)), 1)
        for site, keys in vector.given["site"].items()
    }
    found = read_receipt(data, Roles(1, 0, roles, b""))
    return {
        "receipt": json.loads(write_json(found.receipt)),
        "name": found.receipt.name,
        "verified": not found.warnings,
    }
