"""Memory that a worker allocates once and reads files into.

It begins on a page. What a file's pages are copied to a few bytes past the same
offset in a page takes some processors four times as long (those that copy strings
by microcode: AMD Zen 3), and a ``bytearray`` begins 16 bytes past one.
"""

from __future__ import annotations

import mmap


def pages(size: int) -> memoryview:
    """Return ``size`` writable bytes that begin on a page, zero at first.

    >>> len(pages(5000))
    5000
    """
    return memoryview(mmap.mmap(-1, size))
