import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given, settings, strategies as st

from bundle.flow.turnstile import Halted, Turnstile


def _submit_all(jobs: list[Callable[[], object]]) -> list[Future[object]]:
    """Run every job on a thread of its own; return when all of them are over."""
    with ThreadPoolExecutor(max(1, len(jobs))) as pool:
        return [pool.submit(job) for job in jobs]


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(6)))
def test_tickets_pass_in_their_order_whoever_comes_first(order: list[int]) -> None:
    gate, passed = Turnstile(), []

    def pass_through(ticket: int) -> None:
        with gate.turn(ticket):
            passed.append(ticket)

    _submit_all([lambda ticket=ticket: pass_through(ticket) for ticket in order])  # type: ignore[misc]
    assert passed == sorted(order)


def test_one_thread_at_a_time_is_inside() -> None:
    gate, inside, most = Turnstile(), 0, 0

    def pass_through(ticket: int) -> None:
        nonlocal inside, most
        for turn in range(ticket, 400, 4):
            with gate.turn(turn):
                inside += 1
                most = max(most, inside)
                inside -= 1

    _submit_all([lambda ticket=ticket: pass_through(ticket) for ticket in range(4)])  # type: ignore[misc]
    assert most == 1


def test_who_waits_is_sent_home_when_it_halts() -> None:
    gate, waiting = Turnstile(), threading.Event()

    def wait() -> None:
        waiting.set()
        with gate.turn(1):
            raise AssertionError

    def halt() -> None:
        waiting.wait()
        gate.halt()

    waiter, _ = _submit_all([wait, halt])
    assert isinstance(waiter.exception(), Halted)


def test_who_comes_later_is_sent_home_too() -> None:
    gate = Turnstile()
    gate.halt()
    gate.halt()
    for ticket in (0, 1):
        with pytest.raises(Halted), gate.turn(ticket):
            raise AssertionError


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_a_turn_that_fails_halts_and_the_next_ticket_never_passes(
    error: BaseException,
) -> None:
    gate = Turnstile()
    with gate.turn(0):
        pass
    with pytest.raises(type(error)), gate.turn(1):
        raise error
    with pytest.raises(Halted), gate.turn(2):
        raise AssertionError


def test_who_is_inside_when_it_halts_may_finish() -> None:
    gate = Turnstile()
    with gate.turn(0):
        gate.halt()
    with pytest.raises(Halted), gate.turn(1):
        raise AssertionError
