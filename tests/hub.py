"""A hub for model repositories on the loopback, for real clients to talk to.

It answers what clients of four generations ask when they download: what a
revision is and holds, page by page, and the files, whole or in part. Large files
come from another origin, as on the real hub, where no token may be sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from aiohttp import web

from tests.caches import (
    PREFIXES,
    Content,
    Repository,
    etag,
    identity,
    is_large,
    pointer_oid,
    read,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ANY = "/{path:.*}"


class RefusedError(Exception):
    """An answer that is an error; ``code`` is what clients look at."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = {"X-Error-Message": message, **headers}
        if code:
            self.headers["X-Error-Code"] = code


@dataclass
class Hub:
    """A running hub. ``requests`` are all it was asked, in order."""

    repositories: dict[tuple[str, str], Repository]
    token: str = "hf_test"  # noqa: S105 - opens nothing
    page: int = 3
    """Entries of one page of a tree."""
    url: str = ""
    files_url: str = ""
    requests: list[str] = field(default_factory=list)
    refusing: int | None = None
    """A status that every request is answered with."""
    listen: Callable[[str], object] = lambda _: None
    """Called with each request, before it is answered."""

    def repository(self, kind: str, path: list[str]) -> tuple[Repository, list[str]]:
        """Return the repository that a path starts with, and the rest of it."""
        for parts in (2, 1):
            name = "/".join(path[:parts])
            if (kind, name) in self.repositories:
                return self.repositories[kind, name], path[parts:]
        raise RefusedError(404, "RepoNotFound", "Repository not found")


@contextlib.contextmanager
def serving(repositories: Iterable[Repository], **options: Any) -> Iterator[Hub]:  # noqa: ANN401
    """Run a hub on free ports of the loopback, on a thread of its own."""
    hub = Hub({(one.kind, one.name): one for one in repositories}, **options)
    loop = asyncio.new_event_loop()
    started = threading.Event()
    stop = asyncio.Event()

    async def run() -> None:
        async with contextlib.AsyncExitStack() as stack:
            hub.files_url = await _site(stack, _files_application(hub))
            hub.url = await _site(stack, _hub_application(hub))
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        assert started.wait(20)
        yield hub
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _site(stack: contextlib.AsyncExitStack, app: web.Application) -> str:
    runner = web.AppRunner(app)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    return f"http://{host}:{port}"


def _hub_application(hub: Hub) -> web.Application:
    async def answer(request: web.Request) -> web.StreamResponse:
        hub.requests.append(f"{request.method} {request.rel_url.raw_path}")
        hub.listen(hub.requests[-1])
        try:
            return _answer(hub, request)
        except RefusedError as error:
            body = json.dumps({"error": str(error)}) if request.method == "GET" else ""
            return web.Response(
                status=error.status,
                headers=error.headers,
                text=body,
                content_type="application/json",
            )

    app = web.Application()
    app.router.add_route("*", ANY, answer)
    return app


def _files_application(hub: Hub) -> web.Application:
    """Return the origin of large files: by SHA-256, and without tokens."""
    contents = {
        identity(content).sha256: content
        for repo in hub.repositories.values()
        for files in repo.commits.values()
        for path, content in files.items()
        if is_large(path)
    }

    async def answer(request: web.Request) -> web.StreamResponse:
        hub.requests.append(f"{request.method} large{request.path}")
        if "Authorization" in request.headers:
            return web.Response(status=400, text="a token was sent to another origin")
        content = contents[request.match_info["path"]]
        return _body(request, content, {"ETag": f'"{identity(content).sha256}"'})

    app = web.Application()
    app.router.add_get(ANY, answer)
    return app


def _answer(hub: Hub, request: web.Request) -> web.StreamResponse:
    if hub.refusing is not None:
        raise RefusedError(hub.refusing, "", "out of order")
    path = request.rel_url.raw_path.strip("/").split("/")
    kinds = {prefix: kind for kind, prefix in PREFIXES.items()}
    if path[0] == "api":
        if len(path) < 3 or path[1] not in kinds:
            raise RefusedError(404, "", "Not found")
        repo, rest = hub.repository(kinds[path[1]], path[2:])
        return _api(hub, request, repo, [unquote(part) for part in rest])
    kind = kinds.get(path[0], "hf-model")
    repo, rest = hub.repository(kind, path[1:] if path[0] in kinds else path)
    if len(rest) < 3 or rest[0] != "resolve":
        raise RefusedError(404, "", "Not found")
    _admit(hub, request, repo, content=True)
    return _resolve(hub, request, repo, unquote(rest[1]), unquote("/".join(rest[2:])))


def _admit(hub: Hub, request: web.Request, repo: Repository, *, content: bool) -> None:
    """Refuse who may not see a repository, as the real hub does."""
    known = request.headers.get("Authorization") == f"Bearer {hub.token}"
    if repo.disabled:
        raise RefusedError(403, "", "Access to this resource is disabled.")
    if repo.private and not known:
        raise RefusedError(401, "RepoNotFound", "Invalid username or password.")
    if repo.gated and content and not known:
        raise RefusedError(401, "GatedRepo", "Access to it is restricted.")


def _commit(repo: Repository, revision: str) -> str:
    commit = repo.refs.get(revision, revision)
    if commit not in repo.commits:
        raise RefusedError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
    return commit


def _api(
    hub: Hub, request: web.Request, repo: Repository, rest: list[str]
) -> web.StreamResponse:
    _admit(hub, request, repo, content=False)
    verb, revision = (*rest, "main", "main")[:2] if rest else ("revision", "main")
    commit = _commit(repo, revision)
    if verb == "revision":
        return web.json_response(_information(repo, commit))
    if verb == "tree":
        return _tree(hub, request, repo.commits[commit])
    raise RefusedError(404, "", "Not found")


def _information(repo: Repository, commit: str) -> dict[str, object]:
    return {
        "_id": commit[:24],
        "id": repo.name,
        "sha": commit,
        "siblings": [{"rfilename": path} for path in sorted(repo.commits[commit])],
        "private": repo.private,
        "gated": "auto" if repo.gated else False,
        "disabled": repo.disabled,
        "tags": [],
        "downloads": 0,
        "likes": 0,
    }


def _tree(hub: Hub, request: web.Request, files: Any) -> web.Response:  # noqa: ANN401
    start = int(request.query.get("cursor", "0"))
    paths = sorted(files)
    headers = {}
    if start + hub.page < len(paths):
        following = request.url.update_query(cursor=str(start + hub.page))
        headers["Link"] = f'<{following}>; rel="next"'
    entries = [_entry(path, files[path]) for path in paths[start : start + hub.page]]
    return web.json_response(entries, headers=headers)


def _entry(path: str, content: Content) -> dict[str, object]:
    known = identity(content)
    entry: dict[str, object] = {"type": "file", "path": path, "size": known.size}
    if not is_large(path):
        return {**entry, "oid": known.git_sha1}
    large = {"oid": known.sha256, "size": known.size, "pointerSize": 134}
    return {**entry, "oid": pointer_oid(content), "lfs": large}


def _resolve(
    hub: Hub, request: web.Request, repo: Repository, revision: str, path: str
) -> web.StreamResponse:
    commit = _commit(repo, revision)
    headers = {"X-Repo-Commit": commit}
    if path not in repo.commits[commit]:
        message = "Entry not found"
        raise RefusedError(404, "EntryNotFound", message, **headers)
    content = repo.commits[commit][path]
    headers["ETag"] = f'"{etag(path, content)}"'
    if not is_large(path):
        return _body(request, content, headers)
    known = identity(content)
    headers["X-Linked-Etag"] = f'"{known.sha256}"'
    headers["X-Linked-Size"] = str(known.size)
    headers["Location"] = f"{hub.files_url}/{known.sha256}"
    return web.Response(status=302, headers=headers)


def _body(
    request: web.Request, content: Content, headers: dict[str, str]
) -> web.StreamResponse:
    """Return content, or the one range of it that was asked for."""
    data = read(content)
    status = 200
    wanted = request.http_range
    if "Range" in request.headers:
        size = len(data)
        part = range(size)[wanted]
        status = 206
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
        data = data[wanted]
    headers["Content-Type"] = "application/octet-stream"
    headers["Accept-Ranges"] = "bytes"
    headers["Content-Length"] = str(len(data))  # aiohttp leaves 0 out of HEAD
    return web.Response(status=status, headers=headers, body=data)
