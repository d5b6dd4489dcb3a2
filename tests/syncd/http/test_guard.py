"""Who is answered, and who is not."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from syncd.http.guard import HEADERS
from tests.bundles import Site
from tests.syncd.bastion import Bastion
from tests.syncd.http.clients import OPERATOR, WATCHER, listening

if TYPE_CHECKING:
    from pathlib import Path

STATUS = "/api/v1/status"
RECONCILE = "/api/v1/reconcile"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "sender")


@pytest.fixture
def bastion(tmp_path: Path) -> Bastion:
    return Bastion(tmp_path / "bastion")


async def test_a_host_that_is_not_ours_is_misdirected(
    site: Site, bastion: Bastion
) -> None:
    async with listening(bastion, site, hosts=("bastion.example",)) as here:
        ours = [
            f"127.0.0.1:{here.port}",
            f"localhost:{here.port}",
            f"LocalHost:{here.port}",
            "bastion.example",
            f"bastion.example:{here.port}",
        ]
        for host in ours:
            assert (await here.get("/healthz", Host=host))[0] == 200, host
        for host in ("evil.example", "127.0.0.1", f"127.0.0.1.evil:{here.port}", ""):
            assert (await here.get("/healthz", Host=host))[0] == 421, host


@pytest.mark.parametrize(
    ("token", "status"),
    [
        pytest.param(None, 401, id="without a token"),
        pytest.param("syncd_" + "0" * 64, 401, id="with a token of nobody"),
        pytest.param(WATCHER + "0", 401, id="with a token that goes on"),
        pytest.param("x" * 100_000, 400, id="with a token without end"),
        pytest.param(WATCHER, 200, id="with the token of a watcher"),
    ],
)
async def test_the_status_is_for_those_who_may_read(
    site: Site, bastion: Bastion, token: str | None, status: int
) -> None:
    async with listening(bastion, site) as here:
        assert (await here.get(STATUS, token))[0] == status


async def test_a_browser_sends_the_token_as_a_password(
    site: Site, bastion: Bastion
) -> None:
    async with listening(bastion, site) as here:
        async with here.client.get("/") as answer:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        pair = base64.b64encode(f"anyone:{WATCHER}".encode()).decode()
        status, text = await here.get("/", None, Authorization=f"Basic {pair}")
        assert (status, text[:15]) == (200, "<!doctype html>")
        broken = await here.get("/", None, Authorization="Basic not base64!")
        assert broken[0] == 401


async def test_who_may_read_may_not_operate(site: Site, bastion: Bastion) -> None:
    async with listening(bastion, site) as here:
        assert (await here.post(RECONCILE, {}, WATCHER))[0] == 403
        assert here.daemon.journal.requests() == []
        assert (await here.post(RECONCILE, {}, OPERATOR))[0] == 202
        assert len(here.daemon.journal.requests()) == 1


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="by its fetch metadata"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="of a neighbour"),
        pytest.param({"Origin": "http://evil.example"}, id="by its origin"),
        pytest.param({"Origin": "null"}, id="without an origin"),
    ],
)
async def test_a_page_of_another_site_changes_nothing(
    site: Site, bastion: Bastion, headers: dict[str, str]
) -> None:
    async with listening(bastion, site) as here:
        assert (await here.post(RECONCILE, {}, OPERATOR, **headers))[0] == 403
        assert here.daemon.journal.requests() == []
        own = {
            "Sec-Fetch-Site": "same-origin",
            "Origin": f"http://127.0.0.1:{here.port}",
        }
        assert (await here.post(RECONCILE, {}, OPERATOR, **own))[0] == 202


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        pytest.param(b"{}", "text/plain", 415, id="that is said to be text"),
        pytest.param(b"a=b", "application/x-www-form-urlencoded", 415, id="of a form"),
        pytest.param(b"{", "application/json", 400, id="that is no JSON"),
        pytest.param(b'{"a": 1}', "application/json", 400, id="with a strange member"),
        pytest.param(b"[" * 60_000, "application/json", 400, id="nested without end"),
        pytest.param(b'"' + b"x" * 70_000, "application/json", 413, id="too large"),
    ],
)
async def test_a_body_is_refused(
    site: Site, bastion: Bastion, body: bytes, kind: str, status: int
) -> None:
    async with listening(bastion, site) as here:
        headers = here.headers(OPERATOR, **{"Content-Type": kind})
        async with here.client.post(RECONCILE, data=body, headers=headers) as answer:
            assert answer.status == status
            assert answer.content_type == "application/problem+json"
        assert here.daemon.journal.requests() == []


async def test_every_answer_says_what_a_browser_may_do_with_it(
    site: Site, bastion: Bastion
) -> None:
    async with listening(bastion, site) as here:
        for path in ("/", "/healthz", "/nothing", STATUS, "/assets/page.js"):
            async with here.client.get(path, headers=here.headers(WATCHER)) as answer:
                assert {name: answer.headers[name] for name in HEADERS} == HEADERS, path


async def test_a_token_is_gone_once_its_line_is(site: Site, bastion: Bastion) -> None:
    async with listening(bastion, site) as here:
        assert (await here.get(STATUS))[0] == 200
        (bastion.state / "tokens").write_text("")
        assert (await here.get(STATUS))[0] == 401
