"""What long operations tell whoever is watching.

The pipelines call these methods and know nothing of terminals, JSON or
metrics. Every method does nothing here, so a reporter overrides only what it
shows. Methods may be called from several threads.
"""

from __future__ import annotations


class Reporter:
    """Receives events; must be quick and must not raise."""

    def started(self, verb: str, total: int) -> None:
        """Called once ``total``, the plain bytes of the whole work, is known."""

    def advanced(self, size: int) -> None:
        """Called when ``size`` more plain bytes are done."""

    def file_started(self, path: str, size: int) -> None:
        """Called before the first of the ``size`` bytes of ``path`` is read."""

    def chunks_stored(self, *, new: int, reused: int) -> None:
        """Called with numbers of chunks, as they are written or found again."""

    def warned(self, message: str) -> None:
        """Called with one sentence that a person should see."""

    def finished(self) -> None:
        """Called once, when the last byte is done."""
