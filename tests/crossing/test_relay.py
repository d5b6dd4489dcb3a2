"""A second hop: what crossed one gap goes on to the next enclave."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from bundle.digest import digest_of
from bundle.limits import MAX_ENVELOPE
from bundle.trust.envelope import (
    MANIFEST_TYPE,
    RELEASE_TYPE,
    parse,
    sign,
    sign_detached,
)
from bundle.trust.keys import PrivateKey
from tests.bundles import write_tree
from tests.cli.shell import Shell
from tests.crossing.gap import STREAM, open_gap
from tests.deltas import Medium, chunks_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shell import Ran
    from tests.crossing.gap import Gap

FIRST = {"a/notes.txt": b"the first edition\n" * 900, "b/same.txt": b"same\n" * 70_000}
SECOND = {**FIRST, "a/notes.txt": b"the second edition\n" * 900}


class Hops:
    """A packer outside, a bastion with a store that relays, an enclave behind it."""

    def __init__(self, path: Path) -> None:
        self.gap: Gap = open_gap(path)
        self.outside, self.bastion = self.gap.outside, self.gap.inside
        self.enclave = Shell(path / "enclave", {"BUNDLE_SITE": "enclave"})
        self.enclave.home.mkdir()
        self.keys = self.outside.home / "keys"
        self.relay_keys = self.bastion.home / "relay-keys"
        self.store = self.bastion.home / "store"
        self.out = self.bastion.home / "next"
        self.target = self.enclave.home / "srv"
        made = self.bastion.ok(
            "key", "new", self.relay_keys, "--role", "relay", "--json"
        )
        self.outside.ok("trust", "role", "add", "relay", made.result["public"])
        for one in self.keys.glob("*.json"):
            shutil.copy(one, self.relay_keys)
        self.enclave.ok("trust", "enrol", self.keys / "1.root.json")

    def pack(self, files: dict[str, bytes], *options: object) -> Path:
        """Pack a tree outside and carry the bundle to the bastion."""
        tree = self.outside.home / "docs"
        shutil.rmtree(tree, ignore_errors=True)
        ran = self.outside.ok(
            "pack", f"tree:{write_tree(tree, files)}", *options, "--quiet"
        )
        return self.gap.carry(ran.out.strip())

    def keep(self, bundle: Path, *options: object) -> None:
        """Take a bundle into the bastion's store."""
        self.bastion.ok("store", "add", bundle, self.store, *options)

    def words(self, *options: object) -> tuple[object, ...]:
        """The command that relays."""
        return (
            *("relay", self.store, "--stream", STREAM, "--out", self.out),
            *("--key", self.relay_keys, *options),
        )

    def relay(self, *options: object) -> Medium:
        """Relay, and carry the bundle into the enclave."""
        ran = self.bastion.ok(*self.words(*options), "--quiet")
        made = self.bastion.home / ran.out.strip()
        return Medium(made.rename(self.enclave.home / made.name))

    def unpack(self, medium: Medium, *options: object) -> Ran:
        """Unpack in the enclave; a receipt comes back."""
        self.enclave.ok("verify", medium.path)
        return self.enclave.ok(
            *("unpack", medium.path, "--to", f"tree:{self.target}"),
            *("--receipt-to", self.bastion.home / "back", *options),
        )

    @property
    def receipt(self) -> Path:
        """The enclave's newest receipt."""
        [receipt] = (self.bastion.home / "back").glob("receipt-enclave-*.json")
        return receipt

    def check(self, files: dict[str, bytes]) -> None:
        """The enclave has these files."""
        for path, data in files.items():
            assert (self.target / path).read_bytes() == data


@pytest.fixture
def hops(tmp_path: Path) -> Hops:
    return Hops(tmp_path)


def test_a_release_goes_on_as_it_was_signed(hops: Hops) -> None:
    packed = hops.pack(FIRST)
    hops.keep(packed)
    medium = hops.relay()
    assert medium.path.name == f"{STREAM}-000001-relay-1"
    assert medium.digest == Medium(packed).digest
    for name in ("release.json", "approval.md"):
        assert (medium.path / name).read_bytes() == (packed / name).read_bytes()
    assert (medium.path / "bundle.json").read_bytes() != (
        packed / "bundle.json"
    ).read_bytes()
    assert medium.carried == Medium(packed).carried
    assert sorted(one.name for one in (medium.path / "trust").iterdir()) == [
        "1.roles.json",
        "1.root.json",
        "2.roles.json",
    ]
    hops.unpack(medium)
    hops.check(FIRST)


def test_only_what_the_enclave_lacks_goes_on(hops: Hops) -> None:
    first = hops.pack(FIRST)
    hops.keep(first)
    hops.unpack(hops.relay())
    update = hops.pack(SECOND, "--base", first)
    hops.keep(update)
    medium = hops.relay("--have", hops.receipt)
    assert medium.digest == Medium(update).digest
    assert medium.carried == Medium(update).carried
    assert medium.carried | medium.required == chunks_of(medium.recipes)
    assert not medium.carried & Medium(first).carried
    hops.unpack(medium)
    hops.check(SECOND)


def test_without_a_receipt_a_delta_goes_on_whole(hops: Hops) -> None:
    first = hops.pack(FIRST)
    hops.keep(first)
    hops.keep(hops.pack(SECOND, "--base", first))
    medium = hops.relay()
    assert medium.required == set()
    assert medium.carried == chunks_of(medium.recipes)
    hops.unpack(medium)
    hops.check(SECOND)


def test_it_says_what_it_would_send_and_then_what_it_sent(hops: Hops) -> None:
    hops.keep(hops.pack(FIRST))
    tried = hops.bastion.ok(*hops.words("--dry-run"))
    assert tried.lines[-1] == "nothing was written"
    assert not hops.out.exists()
    ran = hops.bastion.ok(*hops.words("--verify-media", "--parity", "10"))
    assert ran.lines[2].startswith(f"release 1 of {STREAM}: 2 files, ")
    assert "read back from the medium: safe to remove once it is unmounted" in ran.lines
    assert ran.lines[-1] == f"{hops.out}/{STREAM}-000001-relay-1"
    again = hops.bastion.ok(*hops.words("--json")).result
    assert (again["verb"], again["seq"]) == ("relay", 1)
    assert again["bundle"] == f"{hops.out}/{STREAM}-000001-relay-2"


def test_what_is_there_already_is_said(hops: Hops) -> None:
    hops.keep(hops.pack(FIRST))
    hops.unpack(hops.relay())
    ran = hops.bastion.ok(*hops.words("--have", hops.receipt))
    assert f"site enclave has release 1 of {STREAM} already" in ran.err
    assert "not verified" in ran.err
    assert Medium(hops.out / f"{STREAM}-000001-relay-2").carried == set()


def test_approvals_go_on_with_the_release(hops: Hops) -> None:
    approver = hops.outside.home / "approver"
    made = hops.outside.ok("key", "new", approver, "--role", "approver", "--json")
    hops.outside.ok("trust", "role", "add", "approver", made.result["public"])
    packed = hops.pack(FIRST)
    data = (packed / "release.json").read_bytes()
    key = PrivateKey.from_pem((approver / "approver.pem").read_bytes())
    payload = parse(data, limit=MAX_ENVELOPE).payload
    (packed / "sig").mkdir()
    name = f"sig/{key.public.keyid}.json"
    (packed / name).write_bytes(sign_detached(payload, RELEASE_TYPE, key))
    hops.keep(packed)
    medium = hops.relay()
    assert (medium.path / name).read_bytes() == (packed / name).read_bytes()
    assert (medium.path / "trust/3.roles.json").exists()
    hops.unpack(medium)
    hops.check(FIRST)
    shutil.rmtree(hops.store / "papers")
    ran = hops.bastion(*hops.words())
    assert ran.code == 12


def test_a_relay_signs_no_release(hops: Hops) -> None:
    hops.keep(hops.pack(FIRST))
    tree = write_tree(hops.bastion.home / "own", {"evil": b"evil\n"})
    (hops.relay_keys / "packer.pem").write_bytes(
        (hops.relay_keys / "relay.pem").read_bytes()
    )
    words = ("pack", f"tree:{tree}", "--out", hops.out, "--stream", STREAM)
    ran = hops.bastion(*words, "--key", hops.relay_keys)
    assert ran.code == 12
    assert "do not let this key sign releases" in ran.err
    medium = hops.relay()
    key = PrivateKey.from_pem((hops.relay_keys / "relay.pem").read_bytes())
    payload = parse((medium.path / "release.json").read_bytes(), limit=MAX_ENVELOPE)
    forged = sign(payload.payload, RELEASE_TYPE, [key])
    (medium.path / "release.json").write_bytes(forged)
    ran = hops.enclave("unpack", medium.path, "--to", f"tree:{hops.target}")
    assert ran.code == 12
    assert not hops.target.exists()


def test_nobody_else_relays(hops: Hops) -> None:
    hops.keep(hops.pack(FIRST))
    (hops.relay_keys / "relay.pem").write_bytes(PrivateKey.generate().to_pem())
    ran = hops.bastion(*hops.words())
    assert ran.code == 12
    assert "do not let this key sign for a relay" in ran.err
    assert not hops.out.exists()


def test_another_release_under_a_bundle_is_refused(hops: Hops) -> None:
    """Who may sign bundles, packer or relay, cannot put them around other releases."""
    first = hops.pack(FIRST)
    hops.keep(first)
    medium = hops.relay()
    hops.keep(hops.pack(SECOND))
    other = hops.relay()
    shutil.copy(other.path / "release.json", medium.path)
    ran = hops.enclave("unpack", medium.path, "--to", f"tree:{hops.target}")
    assert ran.code == 11
    assert not hops.target.exists()
    stranger = json.loads(
        parse((other.path / "bundle.json").read_bytes(), limit=MAX_ENVELOPE).payload
    )
    stranger["release"]["digest"] = str(digest_of(b"of somebody else"))
    key = PrivateKey.from_pem((hops.keys / "packer.pem").read_bytes())
    text = json.dumps(stranger, separators=(",", ":")).encode()
    (other.path / "bundle.json").write_bytes(sign(text, MANIFEST_TYPE, [key]))
    ran = hops.enclave("unpack", other.path, "--to", f"tree:{hops.target}")
    assert ran.code == 11
    assert not hops.target.exists()


def test_a_release_of_strangers_does_not_go_on(hops: Hops, tmp_path: Path) -> None:
    """A store may hold what the relay's own root does not vouch for."""
    (tmp_path / "others").mkdir()
    strangers = open_gap(tmp_path / "others")
    tree = write_tree(strangers.outside.home / "docs", FIRST)
    bundle = strangers.pack(f"tree:{tree}")
    hops.keep(bundle, "--trust", strangers.root)
    ran = hops.bastion(*hops.words())
    assert ran.code == 12
    assert not hops.out.exists()


def test_newer_roles_come_with_the_release(hops: Hops) -> None:
    """The relay's own files are older than those the release was made under."""
    (hops.relay_keys / "2.roles.json").unlink()
    hops.keep(hops.pack(FIRST))
    hops.unpack(hops.relay())
    shutil.rmtree(hops.store / "papers")
    ran = hops.bastion(*hops.words())
    assert ran.code == 12


def test_damage_in_the_store_is_named(hops: Hops) -> None:
    hops.keep(hops.pack(FIRST))
    [pack] = (hops.store / "packs").iterdir()
    data = bytearray(pack.read_bytes())
    data[200] ^= 1
    pack.write_bytes(data)
    ran = hops.bastion(*hops.words())
    assert ran.code in (10, 11)
    assert "bundle store check --rebuild" in ran.err
    assert not any(hops.out.iterdir())


def test_a_store_in_a_bucket_relays_nothing(hops: Hops) -> None:
    words = ("relay", "s3://bucket/store", "--stream", STREAM, "--out", hops.out)
    ran = hops.bastion(*words, "--key", hops.relay_keys)
    assert ran.code == 2
    assert "from a store in a directory" in ran.err
