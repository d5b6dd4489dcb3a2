"""Memory of workers."""

from __future__ import annotations

import mmap

import numpy as np

from bundle.flow.pages import pages


def test_it_begins_on_a_page_and_is_writable() -> None:
    room = pages(3 * mmap.PAGESIZE + 5)
    assert len(room) == 3 * mmap.PAGESIZE + 5
    cells = np.frombuffer(room, np.uint8)
    assert cells.ctypes.data % mmap.PAGESIZE == 0
    assert not cells.any()
    room[-3:] = b"end"
    assert cells[-3:].tobytes() == b"end"
