"""Boundaries that follow content: FastCDC 2020, normalised level 2 (spec §11.6).

The arithmetic is that of ``pyfastcdc``, compiled. Its pure-Python fallback gives
the same boundaries hundreds of times slower, so this refuses to run on it. A
short self-test before the first use makes sure that the installed version cuts
where the specification says.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from blake3 import blake3

from bundle.errors import BundleError
from bundle.limits import KIB

if TYPE_CHECKING:
    from collections.abc import Iterable

try:
    from pyfastcdc.cy import FastCDC as _Compiled
except ImportError:  # pragma: no cover - depends on the installation
    _Compiled = None

MIN_SIZE: Final = 16 * KIB
MEAN_SIZE: Final = 64 * KIB
MAX_SIZE: Final = 256 * KIB
_LEVEL: Final = 2

_PROBE: Final = b"bundle fastcdc self-test"
_PROBE_SIZE: Final = 512 * KIB
_PROBE_ENDS: Final = (95700, 172594, 273480, 368305, 454305, 524288)


def boundaries(data: memoryview, *, final: bool) -> list[int]:
    """Return where the chunks of ``data`` end, in ascending order.

    ``data`` starts where a chunk starts. With ``final`` the last end is the size
    of ``data``; without, a last piece that more data could lengthen is left out,
    and what is left out is under ``MAX_SIZE`` bytes.

    Raises:
        BundleError: ``pyfastcdc`` is not there compiled, or cuts elsewhere than
            the specification says.
    """
    if not len(data):
        return []
    ends = [chunk.offset + chunk.length for chunk in _chunks(_chunker(), data)]
    if not final and ends[-1] - (ends[-2] if len(ends) > 1 else 0) < MAX_SIZE:
        # Every other end was found by content or by MAX_SIZE, so it stands.
        ends.pop()
    return ends


def _chunks(chunker: Any, data: memoryview) -> Iterable[Any]:  # noqa: ANN401
    return chunker.cut_buf(data)  # type: ignore[no-any-return]


@functools.cache
def _chunker() -> Any:  # noqa: ANN401 - the library has no types for its extension
    """Return the compiled chunker, tested; threads may share it."""
    if _Compiled is None:
        raise BundleError(
            "pyfastcdc is installed without its compiled extension",
            advice="install pyfastcdc from a wheel for this Python and platform, "
            "or with a C compiler at hand",
        )
    chunker = _Compiled(
        MEAN_SIZE, min_size=MIN_SIZE, max_size=MAX_SIZE, normalized_chunking=_LEVEL
    )
    probe = memoryview(blake3(_PROBE).digest(length=_PROBE_SIZE))
    ends = tuple(chunk.offset + chunk.length for chunk in _chunks(chunker, probe))
    if ends != _PROBE_ENDS:
        raise BundleError(
            "the installed pyfastcdc does not cut where rule 11.6 says",
            advice="install another version of pyfastcdc",
        )
    return chunker
