"""Clocks that are wrong, on either side of the gap."""

from __future__ import annotations

from calendar import timegm
from typing import TYPE_CHECKING

from bundle.state.decisions import waive
from bundle.state.receiver import read_marks, trusted_time
from bundle.trust.policy import Waiver
from bundle.trust.terms import Policy
from tests.attacks.trusting import refused
from tests.bundles import Site

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600
DAY = 24 * HOUR
IN_2099 = float(timegm((2099, 1, 1, 0, 0, 0)))
OLD, NEW = {"file": b"old" * 100}, {"file": b"new" * 100}


def test_a_clock_in_2099(tmp_path: Path) -> None:
    """The packer's: its releases are held, and leave no trace in what is trusted."""
    site = Site(tmp_path)
    now, site.now = site.now, IN_2099
    bundle = site.packed()
    site.now = now
    trust = site.enrolled()
    refused(site, bundle, trust, "held: the release is dated 2099-01-01T00:00:00Z")
    assert read_marks(site.receiver) == []
    good = site.packed(NEW)
    site.unpack(good, trust=trust)
    assert trusted_time(site.receiver) == int(now)


def test_a_clock_in_2099_at_the_receiver(tmp_path: Path) -> None:
    """Everything looks expired for a day; set right, nothing of it stays."""
    site = Site(tmp_path)
    bundle = site.packed(expires_days=30)
    now, site.now = site.now, IN_2099
    strict = site.enrolled(strict=True)
    refused(site, bundle, strict, "expired on")
    report = site.unpack(bundle, trust=site.enrolled())
    assert any("expired" in one for one in report.warnings)
    site.now = now
    assert trusted_time(site.receiver) == int(now)
    assert site.unpack(bundle, trust=strict).warnings == ()


def test_a_release_from_2099_that_an_operator_lets_through(tmp_path: Path) -> None:
    """By name, in the log; and it moves no clock."""
    site = Site(tmp_path)
    now, site.now = site.now, IN_2099
    bundle = site.packed()
    release = site.verify(bundle).release
    site.now = now
    waiver = Waiver(release, ("24.1.2",), "A. Operator", "their clock", int(now))
    waive(site.receiver, waiver, "0" * 32)
    report = site.unpack(bundle, trust=site.enrolled())
    assert any(
        "let through by A. Operator: their clock" in one for one in report.warnings
    )
    assert trusted_time(site.receiver) == 0


def test_a_clock_set_back(tmp_path: Path) -> None:
    """What has expired stays expired: the newest release says what time it was."""
    site = Site(tmp_path)
    short = site.packed(OLD, expires_days=1, stream="short")
    site.now += 3 * DAY
    site.unpack(site.packed(NEW), trust=site.enrolled())
    site.now -= 3 * DAY
    refused(site, short, site.enrolled(strict=True), "the release expired on")


def test_a_clock_set_back_before_everything(tmp_path: Path) -> None:
    """A dead battery: 1970. What was published still tells the time."""
    site = Site(tmp_path)
    bundle = site.packed(OLD)
    site.unpack(bundle, trust=site.enrolled())
    second, site.now = site.packed(NEW), 0.0
    site.unpack(second, trust=site.enrolled())
    assert [mark.seq for mark in read_marks(site.receiver)] == [2]


def test_a_clock_that_stopped_holds_what_is_two_days_newer(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.unpack(site.packed(OLD), trust=site.enrolled())
    site.now += 48 * HOUR + 1
    later = site.packed(NEW)
    site.now -= 48 * HOUR + 1
    refused(site, later, site.enrolled(), "held: the release is dated")
    patient = site.enrolled(policy=Policy(ahead_hours=49))
    site.unpack(later, trust=patient)


def test_a_row_of_releases_pushes_no_clock(tmp_path: Path) -> None:
    """Each is dated as far ahead as it may be, and none counts as the time."""
    site = Site(tmp_path)
    start = site.now
    for number in range(1, 4):
        site.now = start + number * 47 * HOUR
        bundle = site.packed({"file": b"%d" % number * 300})
        site.now = start
        if number == 1:
            site.unpack(bundle, trust=site.enrolled())
        else:
            refused(site, bundle, site.enrolled(), "held: the release is dated")
    assert trusted_time(site.receiver) == 0
