"""Who is sent a login, who is not, and what becomes of wrong certificates."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from bundle.errors import NotFoundError, StoreError, UsageError
from bundle.registry.connection import Registry
from bundle.registry.failures import DeniedError
from bundle.registry.options import RegistryOptions
from bundle.registry.pace import UnavailableError
from bundle.registry.repository import Repository
from tests.certificates import make_certificate
from tests.registry.fake import Fake, at_once, problem, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.registry.fake import Answer, Hook

NAME = "team/app"
SECRET = "never-shown"  # noqa: S105 - made up
BASIC = "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()


def log_in(home: Path, *hosts: str, **entry: str) -> None:
    """Leave a login for each host where docker keeps it."""
    pair = {"auth": BASIC.removeprefix("Basic "), **entry}
    path = home / ".docker" / "config.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"auths": dict.fromkeys(hosts, pair)}))


def ask(
    fake: Fake,
    home: Path,
    path: str = "blobs/x",
    *,
    push: bool = False,
    **changes: Any,  # noqa: ANN401 - fields of RegistryOptions
) -> bytes:
    """Return the body that a GET below the repository brings."""

    async def run() -> bytes:
        options = fake.options(home, **changes)
        async with Registry(fake.host, options) as registry:
            repository = Repository(registry, NAME, push=push)
            request = repository.request("GET", repository.url(path), "x")
            data, _ = await registry.body(request, 1000)
            return data

    return asyncio.run(run())


def wants(*accepted: str, challenge: str = 'Basic realm="r"') -> Hook:
    """Answer 401 to all who do not send one of these."""

    async def hook(request: web.Request) -> Answer:
        if request.headers.get("Authorization") in accepted:
            return web.Response(text="welcome")
        headers = {"WWW-Authenticate": challenge}
        return web.Response(status=401, headers=headers, text="{}")

    return hook


def test_a_registry_that_asks_for_nothing_is_sent_nothing(
    fake: Fake, tmp_path: Path
) -> None:
    log_in(tmp_path, fake.host)

    async def open_to_all(_: web.Request) -> Answer:
        return web.Response(text="welcome")

    fake.hook = open_to_all
    assert ask(fake, tmp_path) == b"welcome"
    assert "Authorization" not in fake.asked[0].headers


def test_a_login_is_sent_once_it_is_asked_for(fake: Fake, tmp_path: Path) -> None:
    log_in(tmp_path, fake.host)
    fake.hook = wants(BASIC)
    assert ask(fake, tmp_path) == b"welcome"
    assert len(fake.asked) == 2


def test_without_a_login_it_says_how_to_log_in(fake: Fake, tmp_path: Path) -> None:
    fake.hook = wants(BASIC)
    with pytest.raises(DeniedError, match="no login is known") as caught:
        ask(fake, tmp_path)
    assert f"skopeo login {fake.host}" in caught.value.advice


def test_a_login_that_is_refused_is_not_sent_again_and_again(
    fake: Fake, tmp_path: Path
) -> None:
    log_in(tmp_path, fake.host)
    fake.hook = wants("Basic other")
    with pytest.raises(DeniedError, match="the login is refused"):
        ask(fake, tmp_path)
    assert len(fake.asked) == 2


def test_a_login_in_a_way_nobody_knows_is_refused(fake: Fake, tmp_path: Path) -> None:
    fake.hook = wants("x", challenge="Negotiate")
    with pytest.raises(StoreError, match="in a way that is not known here"):
        ask(fake, tmp_path)


def test_errors_never_show_a_secret(fake: Fake, tmp_path: Path) -> None:
    log_in(tmp_path, fake.host)
    fake.hook = wants("Basic other")
    with pytest.raises(DeniedError) as caught:
        ask(fake, tmp_path)
    told = f"{caught.value!r} {caught.value} {caught.value.advice}"
    assert SECRET not in told
    assert BASIC not in told


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_to_another_host_is_followed_without_the_login(
    fake: Fake, tmp_path: Path, code: int
) -> None:
    log_in(tmp_path, fake.host, "127.0.0.1")
    seen: list[dict[str, str]] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        seen.append(dict(request.headers))
        return web.Response(text="from elsewhere")

    with serving(elsewhere) as url:

        async def redirect(request: web.Request) -> Answer:
            if request.headers.get("Authorization") != BASIC:
                return await wants(BASIC)(request)
            return web.Response(status=code, headers={"Location": f"{url}/blob?sig=1"})

        fake.hook = redirect
        assert ask(fake, tmp_path) == b"from elsewhere"
    assert len(seen) == 1
    assert "Authorization" not in seen[0]
    assert "Cookie" not in seen[0]


def test_a_login_that_another_host_asks_for_after_a_redirect_is_not_given(
    fake: Fake, tmp_path: Path
) -> None:
    log_in(tmp_path, fake.host, "127.0.0.1")
    seen: list[str | None] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers.get("Authorization"))
        return web.Response(
            status=401, headers={"WWW-Authenticate": 'Basic realm="give"'}
        )

    with serving(elsewhere) as url:

        async def redirect(_: web.Request) -> Answer:
            return web.Response(status=307, headers={"Location": f"{url}/blob"})

        fake.hook = redirect
        with pytest.raises(DeniedError):
            ask(fake, tmp_path)
    assert seen == [None]


def test_a_redirect_within_the_registry_keeps_the_login(
    fake: Fake, tmp_path: Path
) -> None:
    log_in(tmp_path, fake.host)

    async def redirect(request: web.Request) -> Answer:
        if request.path.endswith("/moved"):
            return await wants(BASIC)(request)
        return web.Response(status=307, headers={"Location": "/v2/moved"})

    fake.hook = redirect
    assert ask(fake, tmp_path) == b"welcome"


@pytest.mark.parametrize(
    "location",
    [
        "",
        "ftp://example.com/x",
        "file:///etc/passwd",
        "http://u:p@127.0.0.1/",
        "http://[::",
    ],
)
def test_a_redirect_to_nowhere_is_refused(
    fake: Fake, tmp_path: Path, location: str
) -> None:
    async def redirect(_: web.Request) -> Answer:
        return web.Response(status=302, headers={"Location": location})

    fake.hook = redirect
    with pytest.raises(StoreError, match="redirected to"):
        ask(fake, tmp_path)


def test_redirects_without_end_are_given_up(fake: Fake, tmp_path: Path) -> None:
    async def redirect(_: web.Request) -> Answer:
        return web.Response(status=302, headers={"Location": "/v2/again"})

    fake.hook = redirect
    with pytest.raises(StoreError, match="over 5 times"):
        ask(fake, tmp_path)
    assert len(fake.asked) == 6


class Tokens:
    """A token server: gives tokens to those with the right login, for a time."""

    def __init__(self, life: int = 300) -> None:
        self.life = life
        self.asked: list[tuple[dict[str, list[str]], str | None]] = []
        self.answer: Callable[[str], dict[str, Any]] = lambda token: {
            "token": token,
            "expires_in": self.life,
        }

    async def serve(self, request: web.Request) -> web.StreamResponse:
        text = request.query_string or await request.text()
        self.asked.append((parse_qs(text), request.headers.get("Authorization")))
        return web.json_response(self.answer(f"t{len(self.asked)}"))


def bearer(url: str) -> str:
    return f'Bearer realm="{url}/token",service="registry",scope="ignored"'


@pytest.mark.parametrize("name", ["token", "access_token"])
def test_a_token_is_fetched_with_the_login_and_the_scope(
    fake: Fake, tmp_path: Path, name: str
) -> None:
    log_in(tmp_path, fake.host)
    tokens = Tokens()
    tokens.answer = lambda token: {name: token}
    with serving(tokens.serve) as url:
        fake.hook = wants("Bearer t1", challenge=bearer(url))
        assert ask(fake, tmp_path, push=True) == b"welcome"
    scope = f"repository:{NAME}:pull,push"
    assert tokens.asked == [({"service": ["registry"], "scope": [scope]}, BASIC)]


def test_a_token_may_be_given_to_nobody_in_particular(
    fake: Fake, tmp_path: Path
) -> None:
    tokens = Tokens()
    with serving(tokens.serve) as url:
        fake.hook = wants("Bearer t1", challenge=bearer(url))
        assert ask(fake, tmp_path) == b"welcome"
    assert tokens.asked[0][1] is None


def test_an_identity_token_is_exchanged_in_a_form(fake: Fake, tmp_path: Path) -> None:
    log_in(tmp_path, fake.host, identitytoken="i+t/=")
    tokens = Tokens()
    with serving(tokens.serve) as url:
        fake.hook = wants("Bearer t1", challenge=bearer(url))
        assert ask(fake, tmp_path) == b"welcome"
    form, authorization = tokens.asked[0]
    assert authorization is None
    assert form["grant_type"] == ["refresh_token"]
    assert form["refresh_token"] == ["i+t/="]
    assert form["scope"] == [f"repository:{NAME}:pull"]


def test_a_token_is_used_until_it_expires_and_then_replaced(
    fake: Fake, tmp_path: Path
) -> None:
    tokens = Tokens()
    now = [0.0]

    async def run(url: str) -> None:
        fake.hook = wants("Bearer t1", "Bearer t2", challenge=bearer(url))
        pace = at_once()
        options = fake.options(tmp_path, pace=type(pace)(clock=lambda: now[0]))
        async with Registry(fake.host, options) as registry:
            repository = Repository(registry, NAME)
            request = repository.request("GET", repository.url("blobs/x"), "x")
            for moment, expected in ((0, 1), (289, 1), (291, 2)):
                now[0] = moment
                await registry.body(request, 1000)
                assert len(tokens.asked) == expected

    with serving(tokens.serve) as url:
        asyncio.run(run(url))


def test_a_token_that_is_refused_early_is_replaced(fake: Fake, tmp_path: Path) -> None:
    tokens = Tokens()
    with serving(tokens.serve) as url:
        fake.hook = wants("Bearer t2", challenge=bearer(url))
        assert ask(fake, tmp_path) == b"welcome"
    assert len(tokens.asked) == 2


@pytest.mark.parametrize(
    "answer", [{}, {"token": ""}, {"token": "a\r\nb"}, {"token": 7}, {"token": "é"}]
)
def test_a_token_that_is_none_is_refused(
    fake: Fake, tmp_path: Path, answer: dict[str, Any]
) -> None:
    tokens = Tokens()
    tokens.answer = lambda _: answer
    with serving(tokens.serve) as url:
        fake.hook = wants("x", challenge=bearer(url))
        with pytest.raises(StoreError, match="does not give a token"):
            ask(fake, tmp_path)


def test_a_login_is_not_sent_to_a_token_server_of_another_name(
    fake: Fake, tmp_path: Path
) -> None:
    log_in(tmp_path, fake.host)
    tokens = Tokens()
    with serving(tokens.serve) as url:
        other = url.replace("127.0.0.1", "localhost")
        fake.hook = wants("Bearer t1", challenge=bearer(other))
        with pytest.raises(
            StoreError, match="sends its clients to localhost"
        ) as caught:
            ask(fake, tmp_path)
        assert not tokens.asked
        assert caught.value.advice.endswith("--token-server localhost")
        named = frozenset({"localhost"})
        assert ask(fake, tmp_path, token_servers=named) == b"welcome"


@pytest.mark.parametrize(
    "realm", ["", "token", "ftp://127.0.0.1/", "http://me@127.0.0.1/", "http://["]
)
def test_a_token_server_nowhere_is_refused(
    fake: Fake, tmp_path: Path, realm: str
) -> None:
    fake.hook = wants("x", challenge=f'Bearer realm="{realm}"')
    with pytest.raises(StoreError, match="for a token"):
        ask(fake, tmp_path)


def test_a_token_server_that_is_busy_is_asked_again(fake: Fake, tmp_path: Path) -> None:
    busy = iter([500, 503])
    tokens = Tokens()

    async def sometimes(request: web.Request) -> web.StreamResponse:
        code = next(busy, None)
        return await tokens.serve(request) if code is None else problem(code, "BUSY")

    with serving(sometimes) as url:
        fake.hook = wants("Bearer t1", challenge=bearer(url))
        assert ask(fake, tmp_path) == b"welcome"


def test_an_answer_longer_than_its_bound_is_refused(fake: Fake, tmp_path: Path) -> None:
    async def long(_: web.Request) -> Answer:
        return web.Response(text="x" * 1001)

    fake.hook = long
    with pytest.raises(StoreError, match="over 1000 bytes"):
        ask(fake, tmp_path)


def test_nobody_there_is_worth_another_try(tmp_path: Path) -> None:
    fake = Fake("http://127.0.0.1:1")
    with pytest.raises(UnavailableError, match="the connection broke"):
        ask(fake, tmp_path)


def test_nothing_but_tls_is_spoken_unless_it_was_asked_for(
    fake: Fake, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="does not speak TLS") as caught:
        ask(fake, tmp_path, plain_http=False)
    assert "--plain-http" in caught.value.advice
    assert not fake.asked


@pytest.mark.parametrize("trusted", [True, False])
def test_a_certificate_is_trusted_only_by_its_authority(
    tmp_path: Path,
    trusted: bool,  # noqa: FBT001 - a case
) -> None:
    made = make_certificate(tmp_path / "tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.chain, made.key)
    url, stop = _tls(context)
    fake = Fake(url)
    try:
        if trusted:
            with pytest.raises(NotFoundError):
                ask(fake, tmp_path, plain_http=False, ca=made.authority)
        else:
            with pytest.raises(StoreError, match="not trusted here") as caught:
                ask(fake, tmp_path, plain_http=False)
            assert "--ca FILE" in caught.value.advice
    finally:
        stop()


def _tls(context: ssl.SSLContext) -> tuple[str, Callable[[], None]]:
    """Run a server with TLS that has nothing; return its address and how to end it."""
    loop, ready, address = asyncio.new_event_loop(), threading.Event(), []
    end = asyncio.Event()

    async def run() -> None:
        runner = web.AppRunner(web.Application(), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        address.append(f"https://127.0.0.1:{runner.addresses[0][1]}")
        ready.set()
        await end.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert ready.wait(20)

    def stop() -> None:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()

    return address[0], stop


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_file_of_certificates_that_is_none_is_refused(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)

    async def run() -> None:
        async with Registry("registry.example.com", RegistryOptions(ca=path)):
            raise AssertionError

    with pytest.raises(UsageError, match="no file of certificates"):
        asyncio.run(run())


def test_docker_hub_answers_under_another_name() -> None:
    registry = Registry("docker.io", RegistryOptions())
    assert str(registry.url("x")) == "https://registry-1.docker.io/v2/x"
