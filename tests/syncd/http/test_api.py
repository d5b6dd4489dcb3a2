"""What the API says, and what it may be asked."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from syncd.http.openapi import document
from syncd.http.server import application
from tests.bundles import Site, no_flushing
from tests.syncd.bastion import Bastion
from tests.syncd.http.clients import listening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = {"text": b"a line\n" * 9_000}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with no_flushing():
        yield Site(tmp_path / "sender")


@pytest.fixture
def bastion(tmp_path: Path) -> Bastion:
    return Bastion(tmp_path / "bastion")


def pack(site: Site, files: dict[str, bytes]) -> Path:
    """Pack outside of the loop that a test runs in."""
    return site.packed(files)


async def test_the_status_follows_what_is_plugged_in(
    site: Site, bastion: Bastion
) -> None:
    bundle = await asyncio.to_thread(pack, site, FILES)
    async with listening(bastion, site) as here:
        empty = json.loads((await here.get("/api/v1/status"))[1])
        assert (empty["bundles"], empty["streams"]) == ([], [])
        assert (await here.get("/api/v1/receipt"))[0] == 404
        place = bastion.plug(bundle)
        await here.daemon.settle()
        site.now += 1
        status = json.loads((await here.get("/api/v1/status"))[1])
        (bundle_seen,) = status["bundles"]
        assert bundle_seen["phase"] == "ingested"
        assert bundle_seen["places"] == [str(place)]
        assert bundle_seen["removable"] is True
        (stream,) = status["streams"]
        assert [one["seq"] for one in stream["releases"]] == [1]
        assert [(one["target"], one["current"]) for one in stream["targets"]] == [
            ("tree", True)
        ]
        (receipt,) = bastion.receipts.iterdir()
        assert (await here.get("/api/v1/receipt"))[1] == receipt.read_text()


async def test_metrics_name_what_is_late(site: Site, bastion: Bastion) -> None:
    bundle = await asyncio.to_thread(pack, site, FILES)
    async with listening(bastion, site) as here:
        bastion.plug(bundle)
        await here.daemon.settle()
        site.now += 3_600
        lines = (await here.get("/metrics"))[1].splitlines()
        assert 'syncd_bundles{phase="ingested"} 1.0' in lines
        assert 'syncd_stream_seq{stream="models-prod"} 1.0' in lines
        assert 'syncd_stream_age_seconds{stream="models-prod"} 3600.0' in lines
        assert 'syncd_target_current{stream="models-prod",target="tree"} 1.0' in lines


async def test_an_operator_goes_back_and_forward(site: Site, bastion: Bastion) -> None:
    first = await asyncio.to_thread(pack, site, FILES)
    second = await asyncio.to_thread(pack, site, {"text": b"other\n" * 9_000})
    async with listening(bastion, site) as here:
        bastion.plug(first, "a")
        await here.daemon.settle()
        before = bastion.published()
        bastion.plug(second, "b")
        await here.daemon.settle()
        after = bastion.published()
        assert before != after
        asked = {"stream": "models-prod", "seq": 1, "reason": "the new one is slow"}
        assert (await here.post("/api/v1/rollback", asked))[0] == 202
        await here.daemon.settle()
        assert bastion.published() == before
        told = here.daemon.journal.history()
        (rollback,) = [one for one in told if one["kind"] == "rollback"]
        assert (rollback["by"], rollback["why"]) == ("operator", "the new one is slow")
        asked = {"stream": "models-prod", "seq": 2, "reason": "mended"}
        assert (await here.post("/api/v1/rollback", asked))[0] == 202
        await here.daemon.settle()
        assert bastion.published() == after


@pytest.mark.parametrize(
    ("path", "asked", "title"),
    [
        ("retry", {"bundle": "blake3:0"}, "0 bundles are called 'blake3:0'"),
        ("retry", {"bundle": "blake3:"}, "0 bundles are called 'blake3:'"),
        (
            "rollback",
            {"stream": "models", "seq": 1, "reason": "why"},
            "0 streams in the store are called 'models'",
        ),
        ("rollback", {"stream": "models", "seq": 1, "reason": " "}, "a reason has"),
        ("reconcile", {"target": "far"}, "no target is called 'far': tree"),
    ],
)
async def test_what_makes_no_sense_is_said_and_not_asked(
    site: Site, bastion: Bastion, path: str, asked: dict[str, object], title: str
) -> None:
    async with listening(bastion, site) as here:
        status, problem = await here.post(f"/api/v1/{path}", asked)
        assert (status, problem["status"]) == (400, 400)
        assert problem["title"].startswith(title)
        assert here.daemon.journal.requests() == []


async def test_the_description_is_given_out(site: Site, bastion: Bastion) -> None:
    async with listening(bastion, site) as here:
        text = (await here.get("/api/v1/openapi.json", None))[1]
        assert json.loads(text) == document()


async def test_every_route_of_the_api_is_described(
    site: Site, bastion: Bastion
) -> None:
    async with listening(bastion, site) as here:
        app = application(here.service, set())
        routes = {
            (one.method.lower(), one.resource.canonical)
            for one in app.router.routes()
            if one.resource is not None and one.method != "HEAD"
        }
        described = {
            (verb, path)
            for path, verbs in document()["paths"].items()
            for verb in verbs.keys() - {"parameters"}
        }
        of_the_page = {path for _, path in routes - described}
        assert described <= routes
        assert of_the_page == {"/", "/ask", "/changes"} | {
            path for _, path in routes if path.startswith("/assets/")
        }


async def test_not_ready_says_so_and_tells_strangers_nothing(
    site: Site, bastion: Bastion
) -> None:
    async with listening(bastion, site) as here:
        assert (await here.get("/readyz", None))[0] == 200
        here.daemon.journal.close()
        site.now += 1
        status, text = await here.get("/readyz", None)
        assert status == 503
        assert str(bastion.path) not in text
        assert (await here.get("/healthz", None))[0] == 200
