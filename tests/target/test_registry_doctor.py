"""What can be known of a registry before anything is pushed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from bundle.oci.mapping import NameMap
from bundle.target.diagnosis import Severity
from bundle.target.registry_doctor import diagnose
from bundle.target.registry_place import RegistryPlace
from tests.registry.fake import Fake, faking, problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundle.target.diagnosis import Diagnosis
    from tests.registry.fake import Answer


@pytest.fixture
def fake() -> Iterator[Fake]:
    with faking() as running:
        yield running


def ask(fake: Fake, home: Path, **changes: Any) -> Diagnosis:  # noqa: ANN401 - arguments of diagnose
    place = RegistryPlace.parse(f"docker://{fake.host}/mirror", NameMap())
    return asyncio.run(diagnose(place, fake.options(home), **changes))


def told(diagnosis: Diagnosis) -> str:
    return "\n".join(f"{one.severity} {one.message}" for one in diagnosis.findings)


def test_a_look_only_reads(fake: Fake, tmp_path: Path) -> None:
    found = ask(fake, tmp_path)
    assert found.loads
    assert {one.method for one in fake.asked} <= {"GET", "HEAD"}
    assert "asks nobody who they are" in told(found)
    assert "does not list what is about an image" in told(found)
    assert "was not asked whether we may push" in told(found)


@pytest.mark.parametrize("sparse", [True, False])
def test_what_is_tried_leaves_nothing_behind(
    fake: Fake,
    tmp_path: Path,
    sparse: bool,  # noqa: FBT001 - a case
) -> None:
    fake.has_referrers = True

    async def takes(request: web.Request) -> Answer:
        if sparse and request.method == "PUT":
            return web.Response(status=201)
        if request.method == "DELETE" and "/manifests/" in request.path:
            return web.Response(status=202)
        return None

    fake.hook = takes
    found = ask(fake, tmp_path, write=True)
    assert "lets us push into mirror/bundle-doctor" in told(found)
    assert "lists what is about an image (OCI 1.1)" in told(found)
    word = "takes" if sparse else "refuses"
    assert f"{word} an index of which some platforms are missing" in told(found)
    assert not fake.uploads
    assert not fake.manifests
    assert fake.count("DELETE", "/manifests/") == int(sparse)


def test_a_registry_that_lets_nobody_push_is_an_error(
    fake: Fake, tmp_path: Path
) -> None:
    async def denies(request: web.Request) -> Answer:
        return problem(403, "DENIED") if request.method == "POST" else None

    fake.hook = denies
    found = ask(fake, tmp_path, write=True)
    assert not found.loads
    assert found.exit_code == 14


def test_a_registry_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    found = ask(Fake("http://127.0.0.1:1"), tmp_path)
    assert [one.severity for one in found.findings] == [Severity.ERROR]
    assert "the connection broke" in told(found)
