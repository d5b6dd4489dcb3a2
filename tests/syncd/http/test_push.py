"""Bundles over a network: only what lacks, whatever breaks."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from bundle.digest import digest_of
from bundle.errors import MissingError, TargetError, TransientError
from bundle.flow.pace import Pace
from bundle.limits import MIB
from bundle.packing import holdings
from bundle.progress import Reporter
from bundle.pusher import PushReport, PushRequest, push
from bundle.pushing.far_side import FarSide
from syncd.http.server import TOKENS
from syncd.http.tokens import Scope, new_token
from tests.bundles import Site, no_flushing, snapshot, trust_files, write_tree
from tests.cli.shell import Shell
from tests.syncd.bastion import Bastion
from tests.syncd.http.clients import Listening, listening
from tests.syncd.http.cutting import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

SENDER, SENDER_LINE = new_token("sender", [Scope.PUSH])
SMALL = ("release.json", "approval.md", "shards.bds", "recipes.bdr", "bundle.json")
FILES = {f"part-{n}": random.Random(n).randbytes(MIB) for n in range(8)}


async def no_wait(_: float) -> None:
    await asyncio.sleep(0.01)


@dataclass
class Link:
    """A sender, and a daemon that runs behind a wire."""

    site: Site
    bastion: Bastion
    here: Listening
    wire: Wire
    url: str

    async def push(self, bundle: Path, **changes: Any) -> PushReport:  # noqa: ANN401 - fields of PushRequest
        fields: dict[str, Any] = {
            "bundle": bundle,
            "beside": (),
            "trust": self.site.stateless,
            "url": self.url,
            "token": SENDER,
            "ca": None,
            "clock": lambda: self.site.now,
            "stopwatch": lambda: 0.0,
            "body": 2 * MIB,
            "pace": Pace(sleep=no_wait),
        }
        return await push(PushRequest(**{**fields, **changes}), Reporter())

    def far(self) -> FarSide:
        """Return the daemon as a sender sees it."""
        return FarSide(self.url, SENDER)


@contextlib.asynccontextmanager
async def linked(site: Site, bastion: Bastion) -> AsyncIterator[Link]:
    """Give a daemon that runs, and a wire to it."""
    async with listening(bastion, site, hosts=("127.0.0.1",)) as here:
        (bastion.state / TOKENS).write_text(SENDER_LINE)
        wire = Wire(here.port)
        stop = asyncio.Event()
        async with wire.laid() as url, asyncio.TaskGroup() as group:
            # The wire has a port of its own, which a client names as its host.
            here.service.hosts.add(url.removeprefix("http://"))
            group.create_task(here.daemon.run(stop, lambda: None))
            try:
                yield Link(site, bastion, here, wire, url)
            finally:
                stop.set()
                here.daemon.bell.ring()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with no_flushing():
        yield Site(tmp_path / "sender")


@pytest.fixture
def bastion(tmp_path: Path) -> Bastion:
    return Bastion(tmp_path / "bastion")


async def settled(link: Link) -> None:
    """Wait until the daemon has nothing more to do."""
    daemon, changes = link.here.daemon, link.here.service.changes
    while daemon.doing or not link.bastion.receipts.is_dir():
        await changes.after(changes.number, 1)


async def packed(site: Site, files: dict[str, bytes], **changes: Any) -> Path:  # noqa: ANN401 - fields of PackRequest
    return await asyncio.to_thread(site.packed, files, **changes)


async def test_a_bundle_is_pushed_and_published(site: Site, bastion: Bastion) -> None:
    bundle = await packed(site, FILES)
    async with linked(site, bastion) as link:
        report = await link.push(bundle)
        assert (report.phase, report.seq) == ("ingested", 1)
        await settled(link)
        assert bastion.published() == snapshot(site.path / "tree")
        again = await link.push(bundle)
        assert (again.frames, again.bytes, again.phase) == (0, 0, "ingested")
    assert not list((bastion.state / "inbox").glob("*/recipes.bdr"))


async def test_an_update_moves_little_more_than_what_lacks(
    site: Site, bastion: Bastion
) -> None:
    first = await packed(site, FILES)
    async with linked(site, bastion) as link:
        await link.push(first)
        changed = {**FILES, "part-0": random.Random(99).randbytes(MIB)}
        second = await packed(site, changed, far=holdings.FarSide(base=first))
        before = link.wire.sent
        report = await link.push(second)
        assert report.phase == "ingested"
        assert MIB <= report.bytes <= 1.02 * MIB
        small = sum(
            path.stat().st_size
            for path in second.rglob("*")
            if path.suffix != ".bdv" and "copy" not in path.parts
        )
        assert link.wire.sent - before <= 1.05 * (report.bytes + small)


@pytest.mark.parametrize("seed", range(4))
async def test_cut_anywhere_it_completes_without_sending_much_again(
    site: Site, bastion: Bastion, seed: int
) -> None:
    await cut(site, bastion, seed, 5)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(100, 140))
async def test_cut_at_many_places_it_completes_without_sending_much_again(
    site: Site, bastion: Bastion, seed: int
) -> None:
    await cut(site, bastion, seed, 5)


async def cut(site: Site, bastion: Bastion, seed: int, times: int) -> None:
    bundle = await packed(site, FILES)
    whole = sum(path.stat().st_size for path in bundle.glob("vol-*"))
    async with linked(site, bastion) as link:
        link.wire.cuts = sorted(random.Random(seed).sample(range(whole), times))
        report = await link.push(bundle)
        assert link.wire.cuts == []
        assert report.phase == "ingested"
        await settled(link)
        assert bastion.published() == snapshot(site.path / "tree")
        # A cut loses what was on its way: three bodies of at most a frame each,
        # and what the sockets between had taken.
        assert link.wire.sent <= whole + times * 4 * MIB


async def test_a_delta_on_what_is_not_there_says_so(
    site: Site, bastion: Bastion
) -> None:
    first = await packed(site, FILES)
    tree = await asyncio.to_thread(
        write_tree, site.path / "tree", {"more": random.Random(7).randbytes(MIB)}
    )
    delta = await asyncio.to_thread(site.bundle, tree, far=holdings.FarSide(base=first))
    async with linked(site, bastion) as link:
        with pytest.raises(MissingError, match="lacks what this bundle builds on"):
            await link.push(delta)
        assert not bastion.tree.exists()


async def test_the_command_says_what_travelled(
    site: Site, bastion: Bastion, tmp_path: Path
) -> None:
    bundle = await packed(site, FILES)
    (tmp_path / "token").write_text(f"{SENDER}\n")
    async with linked(site, bastion) as link:
        words = ["push", bundle, "--to", link.url, "--token-file", tmp_path / "token"]
        ran = await asyncio.to_thread(
            Shell(tmp_path), *words, "--trust", site.root, "--json"
        )
    assert ran.code == 0, ran.err
    assert ran.result["phase"] == "ingested"
    assert ran.result["sentBytes"] >= 8 * MIB


@pytest.mark.parametrize("text", [None, "", "a\tb", "x" * 2_000])
def test_a_file_without_a_token_is_named(
    site: Site, tmp_path: Path, text: str | None
) -> None:
    bundle = site.packed({"a": b"1"})
    if text is not None:
        (tmp_path / "token").write_text(text)
    words = ["push", bundle, "--to", "http://x", "--token-file", tmp_path / "token"]
    ran = Shell(tmp_path)(*words, "--trust", site.root)
    assert ran.code == 2
    assert str(tmp_path / "token") in ran.err


async def test_a_stranger_pushes_nothing(
    site: Site, bastion: Bastion, tmp_path: Path
) -> None:
    other = Site(tmp_path / "other", keys=trust_files((11,), root=2), key=11)
    bundle = await packed(other, FILES)
    async with linked(site, bastion) as link:
        with pytest.raises(TargetError, match=r"\(rule 22"):
            await link.push(bundle, trust=other.stateless)
        assert not bastion.tree.exists()
        assert len(link.here.daemon.store.vault.packs.numbers()) == 0


async def test_only_a_token_to_push_may_push(site: Site, bastion: Bastion) -> None:
    bundle = await packed(site, FILES)
    reader, line = new_token("reader", [Scope.READ, Scope.OPERATE])
    async with linked(site, bastion) as link:
        (bastion.state / TOKENS).write_text(line)
        for token in (reader, "syncd_none"):
            with pytest.raises(TargetError, match=r"token|scope"):
                await link.push(bundle, token=token)
        assert not (bastion.state / "inbox").exists()


async def test_nobody_at_the_other_end_is_said(site: Site, bastion: Bastion) -> None:
    bundle = await packed(site, FILES)
    async with linked(site, bastion) as link:
        gone = link.url
    link.url = gone
    with pytest.raises(TransientError, match=gone):
        await link.push(bundle, pace=Pace(attempts=2, sleep=no_wait))


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        pytest.param("../x/files/release.json", b"", 404, id="out of the inbox"),
        pytest.param("0/files/release.json", b"", 400, id="for no bundle"),
        pytest.param("{}/files/vol-00001.bdv", b"x", 400, id="that is a volume"),
        pytest.param("{}/files/trust/%2e%2e/x", b"x", 400, id="with a way up"),
        pytest.param("{}/files/trust/x.json", b"x", 400, id="of no known name"),
        pytest.param("{}/files/sig/0.json", b"x", 400, id="of no known key"),
        pytest.param("{}/files/bundle.json", b"x", 400, id="that is another bundle"),
        pytest.param(
            "{}/files/sig/" + "a" * 64 + ".json", b"x" * 5000, 413, id="large"
        ),
    ],
)
async def test_a_file_is_refused(
    site: Site, bastion: Bastion, path: str, body: bytes, status: int
) -> None:
    name = digest_of(b"bundle").raw.hex()
    async with listening(bastion, site) as here:
        (bastion.state / TOKENS).write_text(SENDER_LINE)
        url = f"/api/v1/push/{path.format(name)}"
        async with here.client.put(
            url, data=body, headers=here.headers(SENDER)
        ) as answer:
            assert answer.status == status, await answer.text()
        assert not [*bastion.state.rglob("*.json")] or "inbox" not in str(
            [*bastion.state.rglob("*.json")]
        )


async def test_frames_that_nobody_asked_for_are_refused(
    site: Site, bastion: Bastion, tmp_path: Path
) -> None:
    bundle = await packed(site, FILES)
    noise = random.Random(42).randbytes(MIB)
    other = await packed(Site(tmp_path / "other"), {"x": noise})
    frames = next(other.glob("vol-*")).read_bytes()[64:]
    async with linked(site, bastion) as link, link.far() as far:
        name = digest_of((bundle / "bundle.json").read_bytes()).raw.hex()
        for part in ("trust/1.root.json", "trust/1.roles.json", *SMALL):
            await far.put(name, part, (bundle / part).read_bytes())
        with pytest.raises(TargetError, match="a frame that nobody asked for"):
            await far.frames(name, one(frames))
        spoilt = bytearray(next(bundle.glob("vol-*")).read_bytes()[64:])
        spoilt[len(spoilt) // 2] ^= 1
        with pytest.raises(TargetError, match=r"\(rule "):
            await far.frames(name, one(bytes(spoilt)))
        assert (await far.lacks(name)) is not None
        assert not bastion.tree.exists()


async def one(data: bytes) -> AsyncIterator[memoryview]:
    """Give a body in one piece."""
    yield memoryview(data)
