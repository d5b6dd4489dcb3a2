"""The command ``syncd``, as an operator types it."""

from __future__ import annotations

import fcntl
import json
import os
from typing import TYPE_CHECKING

import pytest

from bundle.state.receiver import enrol
from syncd.cli import main
from syncd.http.tokens import Scope, identify, parse_tokens
from tests.bundles import Site, no_flushing, snapshot
from tests.cli.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG_AGO = 1_700_000_000.0
FILES = {"text": b"a line\n" * 9_000}


class Operator:
    """A person at the bastion, with a configuration that is complete."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shell = Shell(path, command=main)
        self.config = path / "syncd.toml"
        (path / "media").mkdir(parents=True)
        self.config.write_text(
            f'state = "{path}/state"\n'
            f'[store]\npath = "{path}/store"\n'
            f'[media]\nwatch = ["{path}/media"]\nsettle_seconds = 0\n'
            f'[[target]]\nname = "tree"\nto = "tree:{path}/tree"\n'
        )

    def __call__(self, verb: str, *words: object, code: int = 0) -> str:
        """Run a command; return what it wrote to stdout, or to stderr if it failed."""
        ran = self.shell(verb, *words, "--config", self.config)
        assert ran.code == code, ran.out + ran.err
        return ran.err if code else ran.out

    def json(self, verb: str, *words: object) -> dict[str, object]:
        (line,) = self(verb, *words, "--json").splitlines()
        document: dict[str, object] = json.loads(line)
        return document


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with no_flushing():
        yield Site(tmp_path / "sender", now=LONG_AGO)


@pytest.fixture
def operator(tmp_path: Path, site: Site) -> Operator:
    made = Operator(tmp_path / "bastion")
    enrol(made.path / "state", site.keys["1.root.json"])
    return made


def test_from_a_directory_to_a_target_and_back(site: Site, operator: Operator) -> None:
    first = site.packed(FILES)
    before = snapshot(site.path / "tree")
    second = site.packed({"text": b"other\n" * 9_000})
    after = snapshot(site.path / "tree")

    def published() -> dict[str, tuple[object, ...]]:
        found = snapshot(operator.path / "tree")
        return {k: v for k, v in found.items() if k.partition("/")[0] != ".bundle"}

    operator("import", first.parent)
    operator("run", "--once")
    assert published() == after
    status = operator("status")
    assert "roll-back: release 1 of" in status or "models-prod 1" in status
    shown = operator.json("status")
    assert shown["running"] is False
    assert second.name == "models-prod-000002"
    operator("rollback", "models-prod", 1, "--reason", "slow")
    operator("run", "--once")
    assert published() == before
    operator("rollback", "models-prod", 2, "--reason", "mended")
    operator("run", "--once")
    assert published() == after


def test_what_was_changed_at_a_target_is_restored(
    site: Site, operator: Operator
) -> None:
    operator("import", site.packed(FILES))
    operator("run", "--once")
    changed = operator.path / "tree/text"
    stamp = changed.stat().st_mtime_ns
    data = bytearray(changed.read_bytes())
    data[0] ^= 1
    changed.write_bytes(data)
    os.utime(changed, ns=(stamp, stamp))
    operator("run", "--once")
    assert changed.read_bytes() == data
    operator("reconcile", "tree")
    operator("run", "--once")
    assert changed.read_bytes() == FILES["text"]


def test_a_configuration_that_lacks_something_is_said(operator: Operator) -> None:
    assert "nothing is wrong" in operator("check-config")
    (operator.path / "media").rmdir()
    assert "is not there yet" in operator("check-config", code=20)
    operator.config.write_text("state = 7\n")
    assert "syncd.toml:1: state: Expected `str`" in operator("check-config", code=2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("retry", "blake3:00"), "0 bundles are called 'blake3:00'"),
        (("reconcile", "far"), "no target is called 'far': tree"),
        (("rollback", "x", 1, "--reason", "y"), "0 streams in the store are called"),
        (("rollback", "x", 1), "--reason"),
        (("import", "/no/such/place"), "/no/such/place: not a directory"),
        (("token", "ops", "--scope", "all"), "scopes are read, push, operate"),
    ],
)
def test_what_makes_no_sense_is_refused(
    operator: Operator, words: tuple[object, ...], said: str
) -> None:
    operator("run", "--once")
    verb, *rest = words
    assert said in operator(str(verb), *rest, code=2)


def test_a_token_is_printed_once_and_kept_as_a_hash(operator: Operator) -> None:
    token = operator("token", "ops", "--scope", "read", "--scope", "push").strip()
    kept = (operator.path / "state/tokens").read_text()
    assert token not in kept
    known = identify(parse_tokens(kept), token)
    assert known is not None
    assert known.scopes == {Scope.READ, Scope.PUSH}
    assert (operator.path / "state/tokens").stat().st_mode & 0o777 == 0o600
    assert "there is a token called ops" in operator("token", "ops", code=2)


def test_a_receipt_is_written_where_it_is_asked_for(
    site: Site, operator: Operator
) -> None:
    operator("import", site.packed(FILES))
    operator("run", "--once")
    written = operator("receipt", operator.path / "usb").strip()
    (path,) = (operator.path / "usb").iterdir()
    assert written == str(path)


def test_one_daemon_at_a_time(operator: Operator) -> None:
    operator("run", "--once")
    with (operator.path / "state/syncd.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another syncd runs with this state" in operator(
            "run", "--once", code=14
        )
