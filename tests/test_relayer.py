"""Which release a relay sends on, what it checks first, and what it leaves out."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bundle.errors import (
    IntegrityError,
    MissingError,
    TargetError,
    TrustError,
    UsageError,
)
from bundle.ingester import ingest
from bundle.medium.reader import open_bundle
from bundle.progress import Reporter
from bundle.relayer import RelayRequest, relay
from bundle.store.base import Retention
from bundle.store.local import LocalStore
from bundle.wire import write_moment
from tests.bundles import PACKER, STREAM, Site, no_flushing, snapshot, write_tree
from tests.deltas import Medium, Stream
from tests.meddling import Cancelling, When
from tests.trust.ceremony import NOW, founded, key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundle.packing.report import PackReport

RELAY = 20
NOISE = random.Random(11).randbytes(200_000)
FILES = {"a": NOISE[:120_000], "b": b"text\n" * 5000, "c": b"c"}


class Second:
    """A site with a store, a key that relays, and what it relays."""

    def __init__(self, path: Path) -> None:
        ceremony = founded(
            root_keys=[key(1)],
            root_threshold=1,
            roles={"packer": ([key(PACKER)], 1), "relay": ([key(RELAY)], 1)},
        )
        self.site = Site(path, keys=ceremony.files)
        self.stream = Stream(self.site)
        self.path = path
        self.store = LocalStore.make(path / "store")
        self.keys = path / "relay"
        self.keys.mkdir()
        for name, data in ceremony.files.items():
            (self.keys / name).write_bytes(data)
        (self.keys / "relay.pem").touch(mode=0o600)
        (self.keys / "relay.pem").write_bytes(key(RELAY).to_pem())
        self.warnings: list[str] = []

    def keep(self, bundle: Path) -> None:
        opened = open_bundle(bundle, self.site.stateless, self.site.now, judged=False)
        asyncio.run(ingest(opened, self.store, Reporter()))

    def packed(self, files: dict[str, bytes], **changes: Any) -> Path:  # noqa: ANN401 - fields of PackRequest
        """Pack a tree and take it into the store."""
        bundle = self.site.packed(files, **changes)
        self.keep(bundle)
        return bundle

    def relay(self, **changes: Any) -> PackReport:  # noqa: ANN401 - fields of RelayRequest
        fields: dict[str, Any] = {
            "store": self.store,
            "stream": STREAM,
            "out": self.path / "next",
            "key": self.keys,
            "clock": lambda: self.site.now,
        }
        return asyncio.run(relay(RelayRequest(**{**fields, **changes}), Reporter()))

    def bundle(self, **changes: Any) -> Medium:  # noqa: ANN401 - as relay
        made = self.relay(**changes).bundle
        assert made is not None
        return Medium(made)


@pytest.fixture
def second(tmp_path: Path) -> Iterator[Second]:
    with no_flushing():
        yield Second(tmp_path)


def test_the_newest_release_is_sent_and_published(second: Second) -> None:
    second.packed(FILES)
    newest = second.packed({**FILES, "a": b"new\n" * 3000})
    medium = second.bundle()
    assert medium.digest == Medium(newest).digest
    assert second.site.verify(medium.path).volumes == 1
    second.site.unpack(medium.path)
    assert (second.site.target / "a").read_bytes() == b"new\n" * 3000


def test_the_same_store_gives_the_same_volumes(second: Second) -> None:
    second.packed(FILES)
    one, other = second.bundle().path, second.bundle().path
    assert one.name != other.name
    assert snapshot(one) == snapshot(other)


def test_a_dry_run_says_the_most_and_writes_nothing(second: Second) -> None:
    second.packed(FILES)
    said, done = second.relay(dry_run=True), second.relay()
    assert (said.bundle, said.media) == (None, ())
    assert said.needed_bytes >= done.stored_bytes == done.needed_bytes > 0
    assert (said.new_bytes, said.artifacts) == (done.new_bytes, done.artifacts)
    assert done.new_bytes == sum(len(FILES[name]) for name in "ab")
    assert done.reused_bytes == 0


def test_it_is_spread_over_media(second: Second) -> None:
    large = {f"{one}": random.Random(one).randbytes(9 << 20) for one in range(3)}
    second.packed(large)
    sizes = {"volume_size": 8 << 20, "media_size": 18 << 20}
    said, done = second.relay(dry_run=True, **sizes), second.relay(**sizes)
    assert said.media_count == done.media_count == len(done.media) == 2
    first, *beside = done.media
    second.site.unpack(first, beside=tuple(beside))
    assert (second.site.target / "2").read_bytes() == large["2"]


def test_a_receipt_counts_only_what_the_store_has(second: Second) -> None:
    first = Medium(second.packed(FILES))
    unknown = Medium(second.site.packed({**FILES, "b": b"not kept here\n" * 3000}))
    third = Medium(second.packed({**FILES, "b": b"third\n" * 5000}))
    report = second.relay(have=second.stream.receipt(first, unknown))
    assert report.bundle is not None
    assert report.against == "release 1, by site lab"
    assert Medium(report.bundle).carried == third.carried - first.carried
    assert any("release 2" in one and "sent again" in one for one in report.warnings)


def test_another_stream_of_the_site_counts_too(second: Second) -> None:
    other = Medium(second.packed(FILES, stream="other"))
    second.packed({**FILES, "d": NOISE[120_000:]})
    report = second.relay(have=second.stream.receipt(other))
    assert report.against == "1 of other streams, by site lab"
    assert report.new_bytes == 80_000
    assert any(f"no release of {STREAM}" in one for one in report.warnings)


def test_a_site_that_is_ahead_is_told_of(second: Second) -> None:
    second.packed(FILES)
    ahead = Medium(second.site.packed({**FILES, "a": b"ahead"}))
    report = second.relay(have=second.stream.receipt(ahead))
    assert any("refuses release 1 as older" in one for one in report.warnings)


def test_a_forged_receipt_of_a_known_site_is_refused(second: Second) -> None:
    ceremony = founded(
        root_keys=[key(1)],
        root_threshold=1,
        roles={
            "packer": ([key(PACKER)], 1),
            "relay": ([key(RELAY)], 1),
            "site:lab": ([key(77)], 1),
        },
    )
    (second.keys / "1.roles.json").write_bytes(ceremony.files["1.roles.json"])
    first = Medium(second.packed(FILES))
    with pytest.raises(TrustError):
        second.relay(have=second.stream.receipt(first))
    assert second.relay(have=second.stream.receipt(first, signer=key(77))).required == 0


def test_a_stream_is_named_by_its_id_where_names_are_not_enough(
    second: Second, tmp_path: Path
) -> None:
    mine = Medium(second.packed(FILES))
    twin = replace(second.site, path=tmp_path / "twin")
    second.keep(twin.packed({"other": b"twin"}))
    with pytest.raises(UsageError, match="2 streams") as caught:
        second.relay()
    assert "--stream" in caught.value.advice
    assert second.bundle(stream=mine.release.stream.id).digest == mine.digest


def test_two_releases_of_one_number_raise_an_alarm(
    second: Second, tmp_path: Path
) -> None:
    second.packed(FILES)
    stream = Medium(second.site.out / f"{STREAM}-000001").release.stream.id
    twin = replace(second.site, path=tmp_path / "twin")
    first = twin.packed({"other": b"twin"})
    opened = open_bundle(first, second.site.stateless, NOW)
    asyncio.run(ingest(opened, second.store, Reporter()))
    for one in (tmp_path / "store/commits").iterdir():
        text = one.read_text()
        one.write_text(text.replace(opened.release.stream.id, stream))
    with pytest.raises(TrustError, match="equivocation"):
        second.relay()


def test_what_the_store_does_not_have_is_named(second: Second) -> None:
    second.packed(FILES)
    with pytest.raises(MissingError, match="no release of another"):
        second.relay(stream="another")


def test_a_release_that_lost_its_envelope_is_not_sent(second: Second) -> None:
    second.packed(FILES)
    [path] = (second.path / "store/releases").iterdir()
    path.unlink()
    with pytest.raises(MissingError, match=r"release\.json"):
        second.relay()


def test_a_pointer_to_another_release_is_refused(second: Second) -> None:
    second.packed(FILES)
    [path] = (second.path / "store/commits").iterdir()
    path.write_text(path.read_text().replace('"seq":1', '"seq":7'))
    with pytest.raises(IntegrityError, match="is not release 7"):
        second.relay()


def test_a_recipe_that_has_gone_is_named(second: Second) -> None:
    second.packed(FILES)
    [path] = (second.path / "store/recipes").iterdir()
    path.unlink()
    with pytest.raises(MissingError, match="recipe"):
        second.relay()


def test_a_release_made_under_newer_roles_waits_for_them(second: Second) -> None:
    ceremony = founded(
        root_keys=[key(1)],
        root_threshold=1,
        roles={"packer": ([key(PACKER)], 1), "relay": ([key(RELAY)], 1)},
    )
    ceremony.sign_roles()
    for name, data in ceremony.files.items():
        (second.site.key_directory / name).write_bytes(data)
    second.packed(FILES)
    assert sorted(one.name for one in (second.bundle().path / "trust").iterdir()) == [
        "1.roles.json",
        "1.root.json",
        "2.roles.json",
    ]
    for path in (second.path / "store/papers").rglob("2.roles.json"):
        path.unlink()
    with pytest.raises(TrustError, match="roles 2") as caught:
        second.relay()
    assert caught.value.rule == "23.2.7"


def test_without_papers_the_approval_is_written_again(second: Second) -> None:
    packed = second.packed(FILES)
    for path in (second.path / "store/papers").rglob("approval.md"):
        path.unlink()
    assert second.bundle().approval == Medium(packed).approval


def test_one_that_has_expired_goes_on_with_a_warning(second: Second) -> None:
    second.packed(FILES, expires_days=1)
    second.site.now += 2 * 86_400
    expired = write_moment(NOW + 86_400)
    assert f"the release expired on {expired}" in second.relay().warnings


def test_a_full_medium_leaves_nothing(
    second: Second, monkeypatch: pytest.MonkeyPatch
) -> None:
    second.packed(FILES)

    def refuse(*_: object) -> None:
        raise TargetError("full")

    monkeypatch.setattr("bundle.medium.volumes.Volume.finish", refuse)
    with pytest.raises(TargetError):
        second.relay()
    assert not any((second.path / "next").iterdir())
    monkeypatch.undo()
    assert second.bundle().path.name.endswith("-relay-1")


@pytest.mark.parametrize("event", ["started", "advanced 1"])
def test_one_that_is_cancelled_leaves_nothing(second: Second, event: str) -> None:
    second.packed(FILES)
    request = RelayRequest(
        store=second.store,
        stream=STREAM,
        out=second.path / "next",
        key=second.keys,
        clock=lambda: second.site.now,
    )
    cancelling = Cancelling()
    assert cancelling.run(relay(request, When(event, cancelling.now)))
    assert not any((second.path / "next").iterdir())
    assert second.bundle().path.name.endswith("-relay-1")


def test_sizes_are_checked_first(second: Second) -> None:
    with pytest.raises(UsageError, match="a volume has"):
        second.relay(volume_size=1)


def test_what_a_collection_kept_goes_on(second: Second) -> None:
    second.packed(FILES)
    second.packed({**FILES, "b": b"newest\n" * 4000})
    asyncio.run(second.store.collect(Retention(keep=1)))
    second.site.unpack(second.bundle().path)
    assert (second.site.target / "b").read_bytes() == b"newest\n" * 4000


def test_an_empty_tree_goes_on(second: Second, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "empty", {"nothing": b""})
    second.keep(second.site.bundle(tree))
    assert second.relay().volumes == 0
