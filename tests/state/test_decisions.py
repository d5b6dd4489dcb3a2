"""Waivers, alarms and terms in a state directory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bundle.digest import digest_of
from bundle.errors import FormatError, LimitError, MissingError, UsageError
from bundle.limits import MAX_SETTINGS
from bundle.state import audit
from bundle.state.decisions import (
    alarm_of,
    alarms_in,
    end_alarm,
    policy_of,
    raise_alarm,
    read_policy,
    waive,
    waiver_of,
)
from bundle.trust.policy import Alarm, Waiver
from bundle.trust.terms import OPEN
from tests.trust.ceremony import NOW

if TYPE_CHECKING:
    from pathlib import Path

STREAM = "ab" * 16
RELEASE = digest_of(b"release")
WAIVER = Waiver(str(RELEASE), ("24.2.2",), "A. Operator", "late", NOW)
ALARM = Alarm(STREAM, "models-prod", 7, str(RELEASE), str(digest_of(b"evil")), NOW)


def events(state: Path) -> list[dict[str, object]]:
    text = (state / audit.NAME).read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_state_without_terms_is_open(tmp_path: Path) -> None:
    assert policy_of(tmp_path) is OPEN
    (tmp_path / "trust.toml").write_text("jump = 7\n")
    assert policy_of(tmp_path).jump == 7


def test_terms_over_the_bound(tmp_path: Path) -> None:
    path = tmp_path / "trust.toml"
    path.write_bytes(b"#" * MAX_SETTINGS)
    assert policy_of(tmp_path) == OPEN
    path.write_bytes(b"#" * (MAX_SETTINGS + 1))
    with pytest.raises(LimitError, match=r"rule 25\.2\.8"):
        policy_of(tmp_path)
    with pytest.raises(MissingError):
        read_policy(tmp_path / "nothing")
    path.write_bytes(b"\xff")
    with pytest.raises(UsageError, match=r"trust\.toml:1: not UTF-8"):
        policy_of(tmp_path)


def test_a_waiver_is_kept_and_logged(tmp_path: Path) -> None:
    assert waiver_of(tmp_path, RELEASE) is None
    waive(tmp_path, WAIVER, STREAM)
    assert waiver_of(tmp_path, RELEASE) == WAIVER
    assert waiver_of(tmp_path, digest_of(b"another")) is None
    (line,) = events(tmp_path)
    assert (line["event"], line["by"], line["rules"]) == (
        "released",
        "A. Operator",
        ["24.2.2"],
    )


def test_a_waiver_that_is_damaged_is_not_absent(tmp_path: Path) -> None:
    waive(tmp_path, WAIVER, STREAM)
    (path,) = (tmp_path / "waivers").iterdir()
    path.write_bytes(b"{}")
    with pytest.raises(FormatError, match=r"rule 23\.5\.2"):
        waiver_of(tmp_path, RELEASE)


def test_the_first_alarm_stays(tmp_path: Path) -> None:
    raise_alarm(tmp_path, ALARM)
    second = Alarm(STREAM, "models-prod", 8, str(RELEASE), str(RELEASE), NOW + 1)
    raise_alarm(tmp_path, second)
    assert alarm_of(tmp_path, STREAM) == ALARM
    assert alarms_in(tmp_path) == [ALARM]
    assert [line["event"] for line in events(tmp_path)] == ["alarm"]


def test_an_alarm_is_ended_once(tmp_path: Path) -> None:
    raise_alarm(tmp_path, ALARM)
    assert end_alarm(tmp_path, STREAM, "A. Operator", "key replaced", NOW) == ALARM
    assert alarms_in(tmp_path) == []
    with pytest.raises(MissingError, match="no alarm stands"):
        end_alarm(tmp_path, STREAM, "A. Operator", "again", NOW)
    assert [line["event"] for line in events(tmp_path)] == ["alarm", "alarm-ended"]
