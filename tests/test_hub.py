"""The local hub answers as the real one does, so that clients can be believed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from yarl import URL

from tests.caches import commit_of, etag, identity, read, repository, small_model
from tests.hub import Hub, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

FILES = small_model()
COMMIT = commit_of(FILES)
LARGE = "model.safetensors"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    repositories = [
        repository(FILES, refs={"refs/pr/1": COMMIT}),
        repository({"a": b"a"}, name="gpt2", kind="hf-dataset"),
        repository({"a": b"a"}, name="org/private", private=True),
        repository({"a": b"a"}, name="org/gated", gated=True),
        repository({"a": b"a"}, name="org/disabled", disabled=True),
    ]
    with serving(repositories) as hub:
        yield hub


@pytest.fixture
async def session(hub: Hub) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(hub.url) as session:
        yield session


async def get_json(session: aiohttp.ClientSession, path: str) -> Any:  # noqa: ANN401
    async with session.get(path) as answer:
        assert answer.status == 200
        return json.loads(await answer.text())


@pytest.mark.parametrize(
    "path", ["", "/revision/main", "/revision/refs%2Fpr%2F1", f"/revision/{COMMIT}"]
)
async def test_a_revision_is_a_commit_and_its_files(
    hub: Hub, session: aiohttp.ClientSession, path: str
) -> None:
    url = URL(f"{hub.url}/api/models/org/model{path}", encoded=True)  # %2F stays
    async with session.get(url) as answer:
        document = await answer.json()
    assert document["sha"] == COMMIT
    assert [one["rfilename"] for one in document["siblings"]] == sorted(FILES)


async def test_a_repository_may_have_no_organisation(
    session: aiohttp.ClientSession,
) -> None:
    assert (await get_json(session, "/api/datasets/gpt2"))["id"] == "gpt2"


async def test_a_tree_comes_page_by_page(
    session: aiohttp.ClientSession, hub: Hub
) -> None:
    path = f"/api/models/org/model/tree/{COMMIT}?recursive=true&expand=false"
    entries: list[dict[str, Any]] = []
    pages = 0
    while path:
        async with session.get(path) as answer:
            found = await answer.json()
            path = str(answer.links["next"]["url"]) if "next" in answer.links else ""
        assert len(found) <= hub.page
        entries += found
        pages += 1
    assert pages > 1
    assert [one["path"] for one in entries] == sorted(FILES)
    large = next(one for one in entries if one["path"] == LARGE)
    assert large["lfs"]["oid"] == identity(FILES[LARGE]).sha256
    assert large["oid"] != etag(LARGE, FILES[LARGE])


async def test_a_file_comes_with_its_name_and_commit(
    session: aiohttp.ClientSession,
) -> None:
    path = "/org/model/resolve/main/1_Pooling/config.json"
    for method in ("GET", "HEAD"):
        async with session.request(method, path) as answer:
            content = FILES["1_Pooling/config.json"]
            assert answer.headers["ETag"] == f'"{etag("config.json", content)}"'
            assert answer.headers["X-Repo-Commit"] == COMMIT
            assert answer.headers["Content-Length"] == str(len(read(content)))
            assert await answer.read() == (read(content) if method == "GET" else b"")


async def test_a_large_file_is_somewhere_else(
    session: aiohttp.ClientSession, hub: Hub
) -> None:
    path = f"/org/model/resolve/{COMMIT}/{LARGE}"
    known = identity(FILES[LARGE])
    async with session.head(path, allow_redirects=False) as answer:
        assert answer.status == 302
        assert answer.headers["X-Linked-Etag"] == f'"{known.sha256}"'
        assert answer.headers["X-Linked-Size"] == str(known.size)
        location = answer.headers["Location"]
    assert location.startswith(hub.files_url)
    async with aiohttp.ClientSession() as other:
        async with other.get(location) as answer:
            assert await answer.read() == read(FILES[LARGE])
        token = {"Authorization": f"Bearer {hub.token}"}
        async with other.get(location, headers=token) as answer:
            assert answer.status == 400


@pytest.mark.parametrize(
    ("wanted", "part"),
    {"the middle": ("2-4", slice(2, 5)), "the rest": ("3-", slice(3, None))}.values(),
)
async def test_a_part_of_a_file_may_be_asked_for(
    session: aiohttp.ClientSession, wanted: str, part: slice
) -> None:
    headers = {"Range": f"bytes={wanted}"}
    data = read(FILES["vocab.txt"])
    async with session.get(
        "/org/model/resolve/main/vocab.txt", headers=headers
    ) as answer:
        assert answer.status == 206
        assert await answer.read() == data[part]
        first, last = range(len(data))[part][0], range(len(data))[part][-1]
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(data)}"


ERRORS = {
    "no repository": ("/api/models/org/absent", 404, "RepoNotFound"),
    "no revision": ("/api/models/org/model/revision/v9", 404, "RevisionNotFound"),
    "no file": ("/org/model/resolve/main/absent", 404, "EntryNotFound"),
    "no file of a gated one": ("/org/gated/resolve/main/a", 401, "GatedRepo"),
    "a private one": ("/api/models/org/private", 401, "RepoNotFound"),
    "a disabled one": ("/api/models/org/disabled", 403, None),
    "another question": ("/api/whoami-v2", 404, None),
    "another page": ("/org/model/blob/main/a", 404, None),
    "another list": ("/api/models/org/model/commits/main", 404, None),
}


@pytest.mark.parametrize(("path", "status", "code"), ERRORS.values(), ids=ERRORS.keys())
async def test_an_error_says_which(
    session: aiohttp.ClientSession, path: str, status: int, code: str | None
) -> None:
    async with session.get(path) as answer:
        assert answer.status == status
        assert answer.headers.get("X-Error-Code") == code
        assert "error" in await answer.json()
    if code == "EntryNotFound":
        assert answer.headers["X-Repo-Commit"] == COMMIT


@pytest.mark.parametrize("name", ["org/private", "org/gated"])
async def test_a_token_opens_a_repository(
    session: aiohttp.ClientSession, hub: Hub, name: str
) -> None:
    token = {"Authorization": f"Bearer {hub.token}"}
    async with session.get(f"/{name}/resolve/main/a", headers=token) as answer:
        assert await answer.read() == b"a"


async def test_a_gated_repository_shows_what_it_holds(
    session: aiohttp.ClientSession,
) -> None:
    assert (await get_json(session, "/api/models/org/gated"))["gated"] == "auto"
