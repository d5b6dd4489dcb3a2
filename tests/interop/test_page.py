"""The daemon's page in a real browser: it moves, it explains, and text stays text."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from playwright.async_api import expect

from syncd.progress import Progress
from tests.attacks.forgery import Forgery, whole
from tests.bundles import Site, no_flushing, trust_files
from tests.interop.browser import CHROMIUM, PATIENCE_MS, WHY, browsing, looking
from tests.meddling import Given, generated
from tests.syncd.bastion import Bastion, replaced
from tests.syncd.http import clients
from tests.syncd.http.clients import WATCHER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from playwright.async_api import Browser

    from syncd.daemon import Daemon

pytestmark = [
    pytest.mark.interop,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason=WHY),
    pytest.mark.timeout(180),
]

FILES = {f"part-{n}": random.Random(n).randbytes(2_000_000) for n in range(4)}
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"
LABEL = HOSTILE.replace("/", "")
SLY = "x' onmouseover='alert(3)' &lt;img src=x onerror=alert(4)&gt;{{ 7 - 7 }}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with browsing() as running:
        yield running


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with no_flushing():
        yield Site(tmp_path / "sender")


@pytest.fixture
def bastion(tmp_path: Path) -> Bastion:
    return Bastion(tmp_path / "bastion")


@contextlib.asynccontextmanager
async def listening(bastion: Bastion, site: Site) -> AsyncIterator[clients.Listening]:
    """Give a daemon that listens, by a stopwatch that goes."""
    async with clients.listening(bastion, site) as here:
        here.daemon.stopwatch = time.monotonic
        yield here


@contextlib.asynccontextmanager
async def going(daemon: Daemon) -> AsyncIterator[None]:
    """Let a daemon run while the block lasts."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(daemon.run(stop, lambda: None))
        try:
            yield
        finally:
            stop.set()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Hold what a daemon does when a part of it is done, until the event is set."""
    go_on, advanced = threading.Event(), Progress.advanced

    def hold(self: Progress, size: int) -> None:
        advanced(self, size)
        now = self.now()
        if now.done * 4 > now.total:
            assert go_on.wait(60)

    monkeypatch.setattr(Progress, "advanced", hold)
    yield go_on
    go_on.set()


async def test_an_ingest_moves_on_the_page_by_itself(
    browser: Browser, site: Site, bastion: Bastion, held: threading.Event
) -> None:
    bundle = await asyncio.to_thread(site.packed, FILES)
    async with (
        listening(bastion, site) as here,
        going(here.daemon),
        looking(browser, here.port, WATCHER) as window,
    ):
        page = window.page
        assert "No medium with a bundle is here." in await window.text()
        await asyncio.to_thread(bastion.plug, bundle)
        bar = page.locator("section[aria-labelledby=now] progress")
        await expect(bar).to_have_count(1, timeout=PATIENCE_MS)
        await expect(page.locator(".work")).to_contain_text(
            "MiB/s", timeout=PATIENCE_MS
        )
        done = float(await bar.get_attribute("value") or 0)
        assert 0.25 < done / float(await bar.get_attribute("max") or 0) < 1
        held.set()
        await expect(page.get_by_text("may be removed")).to_be_visible(
            timeout=PATIENCE_MS
        )
        await expect(page.get_by_text("as it should be")).to_be_visible(
            timeout=PATIENCE_MS
        )
        await expect(bar).to_have_count(0, timeout=PATIENCE_MS)
        assert await page.locator("form").count() == 0
        assert window.alarms == []
    assert (bastion.tree / "part-0").read_bytes() == FILES["part-0"]


async def test_a_refused_bundle_says_why_and_what_is_next(
    browser: Browser, site: Site, bastion: Bastion, tmp_path: Path
) -> None:
    stranger = Site(tmp_path / "stranger", keys=trust_files((11,), root=2), key=11)
    bundle = await asyncio.to_thread(stranger.packed, {"evil": b"x" * 2_000})
    async with listening(bastion, site) as here:
        bastion.plug(bundle)
        await here.daemon.settle()
        (arrival,) = here.daemon.journal.arrivals()
        async with looking(browser, here.port) as window:
            card = window.page.locator(".card.refused")
            await expect(card.locator("h3")).to_contain_text("refused")
            await expect(card).to_contain_text(arrival.reason)
            assert "(rule " in arrival.reason
            assert arrival.advice
            await expect(card).to_contain_text(f"Next: {arrival.advice}")
            async with going(here.daemon):
                button = card.get_by_role("button", name="Look at it again")
                await button.focus()
                await window.page.keyboard.press("Enter")
                asked = window.page.locator("section[aria-labelledby=history] li")
                await expect(asked.filter(has_text="operator").first).to_contain_text(
                    "retry", timeout=PATIENCE_MS
                )
            assert window.page.url.endswith(f":{here.port}/")
            assert window.alarms == []
        assert len(await history(here.daemon, "refused")) == 2


async def test_what_strangers_wrote_stays_text(
    browser: Browser, site: Site, bastion: Bastion
) -> None:
    bastion.targets = (
        bastion.target("tree"),
        # Takes no trees: the page says so, with the name of the artifact.
        replaced(bastion.target("hub"), to=f"hf-home:{bastion.path / 'hub'}"),
    )
    forgery = Forgery([whole({"file": b"1" * 200})])
    forgery.release = {"stream.name": HOSTILE, "artifacts.0.name": HOSTILE}
    forged = await asyncio.to_thread(forgery.write, site)
    signed = await asyncio.to_thread(
        site.bundle, Given(generated({"file": b"content " * 99}, name=SLY))
    )
    async with listening(bastion, site) as here:
        bastion.plug(forged, LABEL)
        bastion.plug(signed, SLY)
        await here.daemon.settle()
        async with looking(browser, here.port) as window:
            text = await window.text()
            assert HOSTILE in text  # in the reason of a refusal
            assert LABEL in text  # as a medium's label
            assert f"does not take tree {SLY}" in text
            assert text.count(SLY) >= 2
            for tag in ("img", "script", "[onmouseover]", "[onerror]"):
                assert await window.page.locator(f"main {tag}").count() == 0
            await window.page.get_by_text("does not take tree").first.hover()
            assert window.alarms == []
            # What the script takes over goes the same way as what came first.
            here.service.changes.note()
            await window.page.wait_for_timeout(500)
            assert HOSTILE in await window.text()
            assert window.alarms == []


async def test_an_operator_goes_back_with_a_reason(
    browser: Browser, site: Site, bastion: Bastion
) -> None:
    first = await asyncio.to_thread(site.packed, {"text": b"first\n" * 9_000})
    second = await asyncio.to_thread(site.packed, {"text": b"second\n" * 9_000})
    async with listening(bastion, site) as here:
        for label, bundle in (("a", first), ("b", second)):
            bastion.plug(bundle, label)
            await here.daemon.settle()
        assert (bastion.tree / "text").read_bytes().startswith(b"second")
        async with looking(browser, here.port) as window, going(here.daemon):
            page = window.page
            row = page.locator("form.row")
            await row.get_by_role("button", name="Go back to it").click()
            # Without a reason the browser itself sends nothing.
            await row.get_by_label("Reason").fill("the new one is slow")
            await page.keyboard.press("Enter")
            published = page.get_by_role("row").filter(has_text="published")
            await expect(published.get_by_role("cell").first).to_have_text(
                "1", timeout=PATIENCE_MS
            )
            await expect(page.get_by_text("as it should be")).to_be_visible(
                timeout=PATIENCE_MS
            )
            assert window.alarms == []
        (told,) = await history(here.daemon, "rollback")
        assert (told["by"], told["why"]) == ("operator", "the new one is slow")
    assert (bastion.tree / "text").read_bytes().startswith(b"first")


async def history(daemon: Daemon, kind: str) -> list[dict[str, object]]:
    return [one for one in daemon.journal.history() if one["kind"] == kind]
