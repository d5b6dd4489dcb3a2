"""The first ceremony, and the directory a packer signs from."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from bundle.errors import ExistsError, FormatError, MissingError, TrustError
from bundle.state import keydir
from bundle.state.files import names_in
from bundle.trust import envelope
from bundle.trust.chain import Trust, newest_roles
from bundle.trust.roles import read_root
from tests.trust.ceremony import NOW, Ceremony, founded, key

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.trust.keys import PrivateKey

MADE = ["1.roles.json", "1.root.json", "packer.pem", "root.pem"]


def lay_out(directory: Path, ceremony: Ceremony, packer: PrivateKey) -> Path:
    """Write a ceremony's files and a packer's key into a key directory."""
    directory.mkdir()
    for name, data in ceremony.files.items():
        (directory / name).write_bytes(data)
    path = directory / "packer.pem"
    path.touch(mode=0o600)
    path.write_bytes(packer.to_pem())
    return directory


def test_init_makes_keys_that_nobody_else_reads(tmp_path: Path) -> None:
    root = keydir.init(tmp_path / "keys", "mars-base", NOW)
    assert (root.version, root.name) == (1, "mars-base")
    assert root.expires == NOW + keydir.LIFETIME
    assert names_in(tmp_path / "keys") == MADE
    for name in ("packer.pem", "root.pem"):
        path = tmp_path / "keys" / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")


def test_what_init_makes_signs_and_verifies(tmp_path: Path) -> None:
    keydir.init(tmp_path / "keys", None, NOW)
    signer = keydir.load_signer(tmp_path / "keys", NOW)
    assert signer.warnings == ()
    roles = newest_roles(signer.anchor, signer.trust_files)
    trust = Trust(signer.anchor, roles, (), stateless=True)
    data = envelope.sign(b"release", envelope.RELEASE_TYPE, [signer.key])
    assert trust.verify_release(data).payload == b"release"


def test_two_inits_have_nothing_in_common(tmp_path: Path) -> None:
    one = keydir.init(tmp_path / "one", None, NOW)
    other = keydir.init(tmp_path / "other", None, NOW)
    assert one.fingerprint != other.fingerprint


@pytest.mark.parametrize("name", MADE)
def test_init_overwrites_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(ExistsError, match=name) as caught:
        keydir.init(tmp_path, None, NOW)
    assert caught.value.exit_code == 14
    assert names_in(tmp_path) == [name]
    assert (tmp_path / name).read_bytes() == b"precious"


def test_init_leaves_other_files_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"mine")
    keydir.init(tmp_path, None, NOW)
    assert names_in(tmp_path) == [*MADE[:2], "notes.txt", *MADE[2:]]


def test_a_name_that_is_no_slug_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"rule 2\.2"):
        keydir.init(tmp_path / "keys", "../x", NOW)
    assert names_in(tmp_path) == []


def test_the_key_or_its_directory_may_be_named(tmp_path: Path) -> None:
    directory = lay_out(tmp_path / "keys", founded(), key(10))
    one = keydir.load_signer(directory, NOW)
    other = keydir.load_signer(directory / "packer.pem", NOW)
    assert one.key.public == other.key.public == key(10).public
    assert one.trust_files == other.trust_files == founded().files


def test_the_newest_root_and_roles_count(tmp_path: Path) -> None:
    ceremony = founded()
    ceremony.rotate([key(4), key(5)], 1)
    ceremony.roles["packer"] = ([key(11)], 1)
    ceremony.sign_roles()
    directory = lay_out(tmp_path / "keys", ceremony, key(11))
    signer = keydir.load_signer(directory, NOW)
    assert (signer.root_version, signer.roles_version) == (2, 2)
    first = read_root(ceremony.files["1.root.json"])
    assert signer.anchor.fingerprint == first.fingerprint


def test_a_key_that_may_not_pack(tmp_path: Path) -> None:
    directory = lay_out(tmp_path / "keys", founded(), key(11))
    with pytest.raises(TrustError, match=r"do not let this key sign.*rule 22\.4\.4"):
        keydir.load_signer(directory, NOW)


def test_a_directory_without_a_key(tmp_path: Path) -> None:
    with pytest.raises(MissingError) as caught:
        keydir.load_signer(tmp_path, NOW)
    assert "bundle key init" in caught.value.advice


@pytest.mark.parametrize("kind", ["root", "roles"])
def test_a_key_without_its_files(tmp_path: Path, kind: str) -> None:
    directory = lay_out(tmp_path / "keys", founded(), key(10))
    (directory / f"1.{kind}.json").unlink()
    with pytest.raises(MissingError, match=rf"no N\.{kind}\.json beside the key"):
        keydir.load_signer(directory, NOW)


def test_a_key_that_others_can_read_is_told(tmp_path: Path) -> None:
    directory = lay_out(tmp_path / "keys", founded(), key(10))
    (directory / "packer.pem").chmod(0o640)
    (warning,) = keydir.load_signer(directory, NOW).warnings
    assert "others can read this key" in warning


def test_a_role_that_one_key_cannot_meet_is_told(tmp_path: Path) -> None:
    ceremony = founded(roles={"packer": ([key(10), key(11)], 2)})
    directory = lay_out(tmp_path / "keys", ceremony, key(10))
    (warning,) = keydir.load_signer(directory, NOW).warnings
    assert "asks for 2 signatures" in warning


def test_expired_files_are_told(tmp_path: Path) -> None:
    directory = lay_out(tmp_path / "keys", founded(expires=NOW), key(10))
    assert len(keydir.load_signer(directory, NOW).warnings) == 2


def test_a_key_file_that_is_too_large(tmp_path: Path) -> None:
    directory = lay_out(tmp_path / "keys", founded(), key(10))
    (directory / "packer.pem").write_bytes(b"x" * 65537)
    with pytest.raises(FormatError, match=r"rule 21\.2\.1"):
        keydir.load_signer(directory, NOW)
