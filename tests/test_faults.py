"""The proxy that spoils requests: it does what its schedule says, and nothing else."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.faults import Fault, Schedule, proxying

if TYPE_CHECKING:
    from collections.abc import Iterator


class Shelf(BaseHTTPRequestHandler):
    """Holds what is put, by path."""

    protocol_version = "HTTP/1.1"
    objects: dict[str, bytes]

    def do_PUT(self) -> None:
        self.objects[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(self.objects.get(self.path, b""))

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Always(Schedule):
    """Every request meets one fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(0)
        self.fault = fault

    def next(self) -> Fault:
        return self.fault


@contextmanager
def shelf() -> Iterator[tuple[str, dict[str, bytes]]]:
    """Run a server that holds things."""
    objects: dict[str, bytes] = {}
    handler = type("Own", (Shelf,), {"objects": objects})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", objects
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def put(url: str, data: bytes) -> int:
    request = urllib.request.Request(url, data, method="PUT")  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - our own server
        return int(answer.status)


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310 - our own server
        return bytes(answer.read())


def test_without_a_schedule_everything_gets_through() -> None:
    with shelf() as (url, objects), proxying(url) as proxy:
        assert put(f"{proxy.url}/b/key%20one?x=1", b"data" * 50_000) == 200
        assert get(f"{proxy.url}/b/key%20one?x=1") == b"data" * 50_000
        assert list(objects) == ["/b/key%20one?x=1"]
        assert proxy.stored() == ["/b/key one"]
        assert proxy.requests == 2
        assert 200_000 < proxy.sent < 201_000
        assert 200_000 < proxy.received < 201_000


@pytest.mark.parametrize("fault", list(Fault))
def test_each_fault_does_what_it_says(fault: Fault) -> None:
    data = bytes(100_000)
    done = fault in {Fault.NONE, Fault.DELAY}
    seen = done or fault in {Fault.CUT_ANSWER, Fault.TRUNCATE, Fault.FAIL_LATE}
    with shelf() as (url, objects), proxying(url, Always(fault)) as proxy:
        if done:
            assert put(f"{proxy.url}/key", data) == 200
        elif fault in {Fault.FAIL, Fault.FAIL_LATE, Fault.BUSY}:
            with pytest.raises(urllib.error.HTTPError) as refused:
                put(f"{proxy.url}/key", data)
            assert refused.value.code == (503 if fault is Fault.BUSY else 500)
            refused.value.close()
        else:
            with pytest.raises((OSError, HTTPException)):
                put(f"{proxy.url}/key", data)
        assert objects == ({"/key": data} if seen else {})
        assert proxy.stored() == (["/key"] if seen else [])
        proxy.heal()
        assert put(f"{proxy.url}/key", data) == 200


def test_an_answer_is_truncated_within_its_body() -> None:
    with shelf() as (url, objects), proxying(url) as proxy:
        objects["/key"] = bytes(1_000_000)
        proxy.schedule = Always(Fault.TRUNCATE)
        with pytest.raises(HTTPException, match="IncompleteRead"):
            get(f"{proxy.url}/key")


def test_a_schedule_follows_from_its_seed_and_ends() -> None:
    def faults(seed: int) -> list[Fault]:
        schedule = Schedule(seed)
        return [schedule.next() for _ in range(300)]

    assert faults(1) == faults(1) != faults(2)
    spoilt = [one for one in faults(1) if one not in {Fault.NONE, Fault.DELAY}]
    assert len(spoilt) == 12


def test_what_a_reader_could_see_is_noted() -> None:
    with shelf() as (url, _), proxying(url) as proxy:
        put(f"{proxy.url}/one", b"1")
        put(f"{proxy.url}/two", b"2")
        put(f"{proxy.url}/marker", b"3")
        assert proxy.complete_before("/marker") == {"/one", "/two"}
        assert proxy.complete_before("/one") == set()
        with pytest.raises(ValueError, match="never stored"):
            proxy.complete_before("/three")
