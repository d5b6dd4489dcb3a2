"""``bundle trust init|root|role``: who may sign, decided by several people in turn.

A change is drawn up as a draft in the key directory. Where the root key at hand is
enough, it is signed and put into force at once; otherwise the directory travels
from one person to the next, each adds a signature, and the last one publishes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.cli.fingerprint import print_fingerprint
from bundle.errors import MissingError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from bundle.cli.session import Session
    from bundle.state.ceremony import Ceremony, Draft
    from bundle.trust.keys import PrivateKey, PublicKey
    from bundle.trust.roles import Role

_HEX: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DAY: Final = 24 * 3600
_YEARS: Final = 2 * 365


def init(options: argparse.Namespace, session: Session) -> None:
    """Draw up the first root and roles of several people.

    Raises:
        UsageError: too few keys for the threshold, or one of them twice.
        ExistsError: there is a root already.
    """
    from bundle.state import ceremony
    from bundle.trust.drafts import ROOT, asking
    from bundle.trust.roles import APPROVER, PACKER, RELAY

    directory = Path(options.directory)
    root = _role(ROOT, options.root)
    if root is None:
        raise UsageError("a root has one key at least", advice="--root PUBLIC")
    root = asking(root, ROOT, options.threshold or len(root.keys) // 2 + 1)
    roles = {
        name: role
        for name, keys in (
            (PACKER, options.packer),
            (APPROVER, options.approver),
            (RELAY, options.relay),
        )
        if (role := _role(name, keys)) is not None
    }
    ceremony.found(directory, options.name, root, roles, _expires(options, session))
    _go_on(directory, options, session)


def root_add_key(options: argparse.Namespace, session: Session) -> None:
    """Draw up the next root with one more key."""
    from bundle.trust.drafts import added

    key = read_public(options.public)
    _change_root(lambda role: added(role, _name(role), key), options, session)


def root_remove_key(options: argparse.Namespace, session: Session) -> None:
    """Draw up the next root without a key."""
    from bundle.trust.drafts import find_key, removed

    def change(role: Role | None) -> Role | None:
        name = _name(role)
        return removed(role, name, find_key(role, name, options.public))

    _change_root(change, options, session)


def root_threshold(options: argparse.Namespace, session: Session) -> None:
    """Draw up the next root with another threshold."""
    from bundle.trust.drafts import asking

    _change_root(
        lambda role: asking(role, _name(role), options.number), options, session
    )


def root_renew(options: argparse.Namespace, session: Session) -> None:
    """Draw up the next root and roles as they are, with new dates."""
    _change_root(None, options, session)


def role_add(options: argparse.Namespace, session: Session) -> None:
    """Draw up the next roles with a key more in one of them."""
    from bundle.trust.drafts import added

    key = read_public(options.public)
    _change_role(lambda role: added(role, options.role, key), options, session)


def role_remove(options: argparse.Namespace, session: Session) -> None:
    """Draw up the next roles without a key in one of them."""
    from bundle.trust.drafts import find_key, removed

    def change(role: Role | None) -> Role | None:
        key = find_key(role, options.role, options.public)
        after = removed(role, options.role, key)
        if after is None:
            session.output.warn(f"that is the last key of the role {options.role}")
        return after

    _change_role(change, options, session)


def role_threshold(options: argparse.Namespace, session: Session) -> None:
    """Draw up the next roles with another threshold of one of them."""
    from bundle.trust.drafts import asking

    _change_role(
        lambda role: asking(role, options.role, options.number), options, session
    )


def role_renew(options: argparse.Namespace, session: Session) -> None:
    """Draw up the next roles as they are, with new dates."""
    from bundle.state import ceremony

    directory = _directory(options)
    ceremony.change_roles(directory, None, None, _expires(options, session))
    _go_on(directory, options, session)


def sign(options: argparse.Namespace, session: Session) -> None:
    """Add a signature to every draft that asks for it.

    Raises:
        MissingError: there is no draft, or no key.
        TrustError: no draft asks for this key.
    """
    from bundle.state import ceremony

    directory = _directory(options)
    key = _signer(directory, options)
    if key is None:
        raise MissingError(
            f"{directory}: there is no {_root_key_name()} here",
            advice="name the key to sign with: --root-key FILE",
        )
    for name in _sign(directory, key, session):
        session.output.say(f"signed {name} as {key.public.keyid[:16]}")
    _conclude(ceremony.look(directory), (), options, session)


def publish(options: argparse.Namespace, session: Session) -> None:
    """Put into force what enough have signed.

    Raises:
        MissingError: there is no draft.
        TrustError: a threshold is not met; nothing changed.
    """
    _publish(_directory(options), options, session)


def show(directory: Path, options: argparse.Namespace, session: Session) -> None:
    """Print what is in force in a key directory, and its drafts.

    Raises:
        MissingError: there is neither a root nor a draft.
        TrustError: they do not verify.
    """
    from bundle.state import ceremony

    now = ceremony.look(directory)
    if now.root is None and not now.drafts:
        raise MissingError(
            f"{directory}: there is no root", advice="make one: bundle key init DIR"
        )
    for role in () if now.roles is None else now.roles.by_name.values():
        _print_role(role, session)
    _conclude(now, (), options, session)


def read_public(text: str) -> PublicKey:
    """Return the public key that is ``text``, or is in the file called that.

    Raises:
        MissingError: it is no key, and there is no such file.
        FormatError: the file holds no public key.
        TrustError: the key is not to be trusted.
    """
    from bundle.limits import MAX_DETACHED_SIGNATURE
    from bundle.state.files import read_bounded
    from bundle.trust.keys import PublicKey

    if _HEX.fullmatch(text):
        return PublicKey.parse(text)
    data = read_bounded(Path(text), MAX_DETACHED_SIGNATURE, rule="21.3.1")
    return PublicKey.parse(data.decode("ascii", "replace").removesuffix("\n"))


def _role(name: str, keys: list[str]) -> Role | None:
    from bundle.trust.drafts import added

    role: Role | None = None
    for text in keys:
        role = added(role, name, read_public(text))
    return role


def _change_root(
    change: Callable[[Role | None], Role | None] | None,
    options: argparse.Namespace,
    session: Session,
) -> None:
    from bundle.state import ceremony

    directory = _directory(options)
    ceremony.change_root(directory, change, _expires(options, session))
    _go_on(directory, options, session)


def _change_role(
    change: Callable[[Role | None], Role | None],
    options: argparse.Namespace,
    session: Session,
) -> None:
    from bundle.state import ceremony

    directory = _directory(options)
    expires = _expires(options, session)
    ceremony.change_roles(directory, options.role, change, expires)
    _go_on(directory, options, session)


def _go_on(directory: Path, options: argparse.Namespace, session: Session) -> None:
    """Sign with the key at hand, and publish where that is all it takes."""
    from bundle.errors import TrustError
    from bundle.state import ceremony

    key = None if options.draft else _signer(directory, options)
    if key is not None:
        try:
            _sign(directory, key, session)
        except TrustError as error:
            session.output.warn(str(error))
    now = ceremony.look(directory)
    if not options.draft and all(one.is_complete for one in now.drafts):
        _publish(directory, options, session)
    else:
        _conclude(now, (), options, session)


def _sign(directory: Path, key: PrivateKey, session: Session) -> tuple[str, ...]:
    from bundle.state import audit, ceremony

    signed = ceremony.sign(directory, key)
    keyid = key.public.keyid
    audit.append(session.state, "signed", session.clock(), files=signed, key=keyid)
    return signed


def _publish(directory: Path, options: argparse.Namespace, session: Session) -> None:
    from bundle.state import audit, ceremony

    published = ceremony.publish(directory)
    audit.append(session.state, "changed", session.clock(), files=published)
    now = ceremony.look(directory)
    _conclude(now, published, options, session)


def _conclude(
    now: Ceremony,
    published: tuple[str, ...],
    options: argparse.Namespace,
    session: Session,
) -> None:
    """Print what changed, what is waited for, and what is in force."""
    from bundle.wire import write_moment

    output = session.output
    for draft in now.drafts:
        _print_draft(draft, session)
    root, roles = now.root, now.roles
    output.event(
        "result",
        verb=options.verb,
        directory=now.directory,
        root=None if root is None else root.version,
        roles=None if roles is None else roles.version,
        fingerprint=None if now.anchor is None else now.anchor.fingerprint,
        published=published,
        drafts=[one.name for one in now.drafts],
    )
    for name in published:
        output.say(f"in force: {now.directory / name}")
    if root is not None and roles is not None:
        output.say(
            f"root {root.version}, expires {write_moment(root.expires)}; "
            f"roles {roles.version}, expires {write_moment(roles.expires)}"
        )
    if now.anchor is not None:
        print_fingerprint(now.anchor, options, output)
    if published:
        output.hint("put the new files beside every packer's key; media carry them on")
    elif any(not one.is_complete for one in now.drafts):
        output.hint(
            f"next: hand {now.directory} on, without your secrets; there: "
            "bundle trust root sign --key DIR --root-key KEY"
        )
    elif now.drafts:
        output.hint(f"next: bundle trust root publish --key {now.directory}")


def _print_draft(draft: Draft, session: Session) -> None:
    """Print what a draft says, and whose signatures it waits for."""
    from bundle.wire import write_moment

    output = session.output
    output.event(
        "draft",
        name=draft.name,
        version=draft.said.version,
        expires=write_moment(draft.said.expires),
        roles=[_described(role) for role in draft.said.by_name.values()],
        needs=[
            {
                "by": one.by,
                "threshold": one.verification.threshold,
                "signed": list(one.verification.signed),
                "missing": one.verification.missing,
            }
            for one in draft.needs
        ],
    )
    output.say(f"draft of {draft.name}, expires {write_moment(draft.said.expires)}")
    for role in draft.said.by_name.values():
        if role.name not in ("snapshot", "timestamp"):
            output.say(f"  {_line(role)}")
    for one in draft.needs:
        waiting = ", ".join(key.keyid[:16] for key in one.waiting)
        who = f"; waits for {one.verification.missing} of {waiting}"
        output.say(
            f"  by {one.by}: {one.verification}"
            f"{'' if one.verification.verified else who}"
        )


def _print_role(role: Role, session: Session) -> None:
    session.output.event("role", **_described(role))
    session.output.say(_line(role))


def _described(role: Role) -> dict[str, object]:
    return {
        "role": role.name,
        "threshold": role.threshold,
        "keys": [key.raw.hex() for key in role.keys],
    }


def _line(role: Role) -> str:
    keys = ", ".join(key.keyid[:16] for key in role.keys)
    return f"{role.name}: {role.threshold} of {keys}"


def _name(role: Role | None) -> str:
    return "root" if role is None else role.name


def _expires(options: argparse.Namespace, session: Session) -> int:
    return int(session.clock()) + (options.days or _YEARS) * _DAY


def _directory(options: argparse.Namespace) -> Path:
    """Return the directory of roots and roles; a key in it may be named too."""
    path = Path(options.key)
    return path if path.is_dir() else path.parent


def _root_key_name() -> str:
    from bundle.state.keydir import ROOT_KEY

    return ROOT_KEY


def _signer(directory: Path, options: argparse.Namespace) -> PrivateKey | None:
    """Return the root key that was named, or is in the directory; else None."""
    from bundle.limits import MAX_KEY_FILE
    from bundle.state.files import names_in, read_bounded
    from bundle.trust.keys import PrivateKey

    name = _root_key_name()
    if options.root_key is None and name not in names_in(directory):
        return None
    path = directory / name if options.root_key is None else Path(options.root_key)
    return PrivateKey.from_pem(read_bounded(path, MAX_KEY_FILE, rule="21.2.1"))
