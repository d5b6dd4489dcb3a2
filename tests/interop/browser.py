"""A real browser for the daemon's page: Debian's Chromium, without a screen."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from playwright.async_api import async_playwright

from tests.syncd.http.clients import OPERATOR

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, ConsoleMessage, Dialog, Page

CHROMIUM: Final = shutil.which("chromium")
WHY: Final = "there is no chromium here: 'make interop' as root installs it"
PATIENCE_MS: Final = 30_000
"""Milliseconds that a page may take on a machine that does other things too."""


@contextlib.asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """Give a browser of this block's own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Window:
    """One page as one person sees it, and what must not happen there.

    ``alarms`` has each dialog, each exception of a script, and each line of the
    console that is worse than a note: what the policy of the page forbids is there.
    """

    page: Page
    alarms: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.alarms.append(str(error)))
        self.page.on("dialog", self._dialog)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.alarms.append(message.text)

    async def _dialog(self, dialog: Dialog) -> None:
        self.alarms.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    async def text(self) -> str:
        """Return what a person reads of the main part."""
        return await self.page.inner_text("main")


@contextlib.asynccontextmanager
async def looking(
    browser: Browser, port: int, token: str = OPERATOR
) -> AsyncIterator[Window]:
    """Give a window with the page of a daemon, live; somebody with ``token`` looks."""
    context = await browser.new_context(
        http_credentials={"username": "anyone", "password": token},
        viewport={"width": 1200, "height": 1600},
    )
    try:
        window = Window(await context.new_page())
        await window.page.goto(f"http://127.0.0.1:{port}/")
        await window.page.wait_for_selector("#link:text('live')")
        yield window
    finally:
        await context.close()
