"""A directory of roots and roles, and the next ones while people sign them.

::

    N.root.json  N.roles.json            what is in force, as in a key directory
    N.root.json.draft  N.roles.json.draft    what will be, once enough have signed

The directory travels from one person to the next, without anybody's secrets. A
draft becomes the file it is called after when it verifies as a reader would
verify it, and not before (spec §22.6); a file that is there is never replaced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bundle.durable import write_file
from bundle.errors import ExistsError, MissingError, TrustError, UsageError
from bundle.limits import MAX_TRUST_FILE
from bundle.state.files import create_file, names_in, read_bounded, remove_files
from bundle.trust import drafts
from bundle.trust.chain import file_versions, follow_roots, newest_roles
from bundle.trust.drafts import ROOT, TARGETS, Need
from bundle.trust.roles import (
    Contents,
    Role,
    parse_roles,
    parse_root,
    read_next_root,
    read_roles,
    read_root,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bundle.trust.keys import PrivateKey
    from bundle.trust.roles import Roles, Root

    Change = Callable[[Role | None], Role | None]

SUFFIX: Final = ".draft"


@dataclass(frozen=True, slots=True)
class Draft:
    """A file that is not in force yet: what it says, and who has to sign it."""

    kind: str
    said: Contents
    data: bytes
    needs: tuple[Need, ...]

    @property
    def name(self) -> str:
        """The name of the file that it will be."""
        return f"{self.said.version}.{self.kind}.json"

    @property
    def is_complete(self) -> bool:
        """Whether every threshold is met, so that it can be published."""
        return all(one.verification.verified for one in self.needs)


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What a directory holds: ``root`` and ``roles`` are verified, drafts are not.

    All four are None where there is no such file. ``anchor`` is the first root.
    """

    directory: Path
    anchor: Root | None
    root: Root | None
    roles: Roles | None
    next_root: Draft | None
    next_roles: Draft | None

    @property
    def drafts(self) -> tuple[Draft, ...]:
        """The drafts that are there, the root's first."""
        return tuple(one for one in (self.next_root, self.next_roles) if one)


def look(directory: Path) -> Ceremony:
    """Return what is in ``directory``, each file verified as far as it has to be.

    Raises:
        FormatError: a file is not what its name says.
        TrustError: the chain of roots, or the roles in force, do not verify.
    """
    names = names_in(directory)
    files = {
        name: read_bounded(directory / name, MAX_TRUST_FILE, rule="22.1.1")
        for kind in ("root", "roles")
        for name in (f"{number}.{kind}.json" for number in file_versions(names, kind))
    }
    anchor, root = _chain(files)
    next_root = _draft_root(directory, names, root)
    roles = _roles_in_force(files, root)
    next_roles = _draft_roles(directory, names, root, roles, next_root)
    return Ceremony(directory, anchor, root, roles, next_root, next_roles)


def found(
    directory: Path,
    name: str | None,
    root: Role,
    roles: Mapping[str, Role],
    expires: int,
) -> Ceremony:
    """Draw up the first root and the first roles; nobody has signed them yet.

    Raises:
        ExistsError: there is a root, or a draft of one, already.
        TrustError: a key both packs and approves.
        TargetError: the drafts could not be written.
    """
    there = [one for one in names_in(directory) if ".root.json" in one]
    if there:
        raise ExistsError(
            f"{directory}: {', '.join(there)} are there already",
            advice="choose another directory, or change what is there with "
            "'bundle trust root' and 'bundle trust role'",
        )
    members = {ROOT: root, TARGETS: Role(TARGETS, root.keys, root.threshold)}
    files = {
        f"1.roles.json{SUFFIX}": drafts.draw_up_roles(1, expires, roles),
        f"1.root.json{SUFFIX}": drafts.draw_up_root(1, expires, name, members),
    }
    parse_roles(files[f"1.roles.json{SUFFIX}"])
    for file, data in files.items():
        create_file(directory / file, data, mode=0o644)
    return look(directory)


def change_root(directory: Path, change: Change | None, expires: int) -> Ceremony:
    """Draw up the next root, or change the draft that is there.

    The keys of ``targets``, which sign roles, change with those of ``root``. Where
    the roles in force would not be signed by enough of them, they are drawn up
    again too. None as ``change`` renews the file alone.

    Raises:
        UsageError: that would leave no keys.
        MissingError: there is nothing to change.
    """
    now = look(directory)
    if now.next_root is not None:
        said = now.next_root.said
    elif now.root is not None:
        said = parse_root(now.root.data)
    else:
        raise _nothing(directory)
    roles = {}
    for name in (ROOT, TARGETS):
        role = said.by_name[name]
        after = role if change is None else change(role)
        if after is None:
            raise UsageError(f"that is the last key of the role {name}")
        roles[name] = after
    version = 1 if now.root is None else now.root.version + 1
    data = drafts.draw_up_root(version, expires, said.name, roles)
    _write_draft(directory, f"{version}.root.json", data)
    # Signatures on roles count by the root they are under, so theirs are void too.
    roles_draft, in_force = now.next_roles, now.roles
    if roles_draft is not None:
        version, by_name = roles_draft.said.version, roles_draft.said.by_name
        data = drafts.draw_up_roles(version, expires, by_name)
        _write_draft(directory, f"{version}.roles.json", data)
    elif in_force is not None and (
        change is None or not drafts.is_signed(data, TARGETS, in_force.data)
    ):
        data = drafts.draw_up_roles(in_force.version + 1, expires, in_force.by_name)
        _write_draft(directory, f"{in_force.version + 1}.roles.json", data)
    return look(directory)


def change_roles(
    directory: Path, name: str | None, change: Change | None, expires: int
) -> Ceremony:
    """Draw up the next roles with the role ``name`` changed, or change the draft.

    A role that ``change`` makes None is dropped; None as ``change`` renews the file.

    Raises:
        MissingError: there is nothing to change.
        TrustError: a key would both pack and approve.
    """
    now = look(directory)
    if now.next_roles is not None:
        roles = dict(now.next_roles.said.by_name)
    elif now.roles is not None:
        roles = dict(now.roles.by_name)
    else:
        raise _nothing(directory)
    if name is not None and change is not None:
        after = change(roles.pop(name, None))
        if after is not None:
            roles[name] = after
    version = 1 if now.roles is None else now.roles.version + 1
    data = drafts.draw_up_roles(version, expires, dict(sorted(roles.items())))
    parse_roles(data)
    _write_draft(directory, f"{version}.roles.json", data)
    return look(directory)


def sign(directory: Path, key: PrivateKey) -> tuple[str, ...]:
    """Add the signature of ``key`` to every draft that asks for it; return which.

    Raises:
        MissingError: there is no draft.
        TrustError: none of them asks for this key.
    """
    now = look(directory)
    if not now.drafts:
        raise MissingError(
            f"{directory}: there is no draft to sign",
            advice="'bundle trust root' and 'bundle trust role' draw them up",
        )
    refused: TrustError | None = None
    signed = []
    for draft in now.drafts:
        try:
            data = drafts.sign(draft.data, key, draft.needs)
        except TrustError as error:
            refused = error
            continue
        write_file(directory / f"{draft.name}{SUFFIX}", data)
        signed.append(draft.name)
    if not signed and refused is not None:
        raise refused
    return tuple(signed)


def publish(directory: Path) -> tuple[str, ...]:
    """Put every draft into force that enough have signed; return the new files.

    The root comes first and is kept before the roles under it are looked at. So a
    run that is interrupted is finished by another.

    Raises:
        MissingError: there is no draft.
        TrustError: a threshold is not met, or the roles would not stand under the
            new root; nothing changed.
    """
    now = look(directory)
    if not now.drafts:
        raise MissingError(f"{directory}: there is no draft to publish")
    for draft in now.drafts:
        _require(draft)
    root = now.root
    if now.next_root is not None:
        data = now.next_root.data
        root = read_root(data) if root is None else read_next_root(root, data)
    if root is None:
        raise MissingError(f"{directory}: no root comes with these roles")
    if now.next_roles is not None:
        read_roles(root, now.next_roles.data)
    elif now.roles is not None:
        read_roles(root, now.roles.data)
    for draft in now.drafts:
        create_file(directory / draft.name, draft.data, mode=0o644)
    names = names_in(directory)
    stale = [one for one in names if one.endswith(SUFFIX)]
    done = [one for one in stale if one.removesuffix(SUFFIX) in names]
    remove_files(directory, done)
    return tuple(draft.name for draft in now.drafts)


def _require(draft: Draft) -> None:
    for one in draft.needs:
        if not one.verification.verified:
            raise TrustError(
                f"{draft.name} by {one.by}: {one.verification}",
                rule="22.6.4",
                advice="let the others sign: bundle trust root sign --key DIR",
            )


def _chain(files: Mapping[str, bytes]) -> tuple[Root | None, Root | None]:
    versions = file_versions(files, "root")
    if not versions:
        return None, None
    anchor = root = read_root(files[f"{min(versions)}.root.json"])
    for newer in follow_roots(anchor, files):
        root = newer
    return anchor, root


def _roles_in_force(files: Mapping[str, bytes], root: Root | None) -> Roles | None:
    """Return the newest roles; under a new root they may wait for their renewal."""
    if root is None or not file_versions(files, "roles"):
        return None
    try:
        return newest_roles(root, files)
    except TrustError:
        # A publication was interrupted between the root and the roles under it.
        before = files.get(f"{root.version - 1}.root.json")
        if before is None:
            raise
        return newest_roles(read_root(before), files)


def _draft_root(directory: Path, names: list[str], root: Root | None) -> Draft | None:
    version = 1 if root is None else root.version + 1
    data = _read_draft(directory, names, f"{version}.root.json")
    if data is None:
        return None
    said = parse_root(data)
    own = drafts.need(data, f"root {version}", said.by_name[ROOT], data)
    needs = [own]
    if root is not None:
        role = parse_root(root.data).by_name[ROOT]
        needs.insert(0, drafts.need(root.data, f"root {root.version}", role, data))
    return Draft("root", _numbered(said, version), data, tuple(needs))


def _draft_roles(
    directory: Path,
    names: list[str],
    root: Root | None,
    roles: Roles | None,
    next_root: Draft | None,
) -> Draft | None:
    version = 1 if roles is None else roles.version + 1
    data = _read_draft(directory, names, f"{version}.roles.json")
    trusted = next_root.data if next_root else root.data if root else None
    if data is None or trusted is None:
        return None
    under = parse_root(trusted)
    by = f"the roles' keys of root {under.version}"
    needs = (drafts.need(trusted, by, under.by_name[TARGETS], data),)
    return Draft("roles", _numbered(parse_roles(data), version), data, needs)


def _numbered(said: Contents, version: int) -> Contents:
    if said.version != version:
        raise TrustError(
            f"the draft of version {version} says it is version {said.version}",
            rule="22.6.2",
        )
    return said


def _read_draft(directory: Path, names: list[str], name: str) -> bytes | None:
    file = f"{name}{SUFFIX}"
    if file not in names or name in names:
        return None
    return read_bounded(directory / file, MAX_TRUST_FILE, rule="22.1.1")


def _write_draft(directory: Path, name: str, data: bytes) -> None:
    write_file(directory / f"{name}{SUFFIX}", data)


def _nothing(directory: Path) -> MissingError:
    return MissingError(
        f"{directory}: there is no root",
        advice="make one with: bundle key init DIR, or with several people: "
        "bundle trust init DIR",
    )
