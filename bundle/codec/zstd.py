"""zstd as this format allows it (spec §10.2).

The zstd library believes what a frame says of itself: it allocates the size
that the frame declares and reads one frame of several. So a frame is walked
here first, header and blocks (RFC 8878 §3.1.1), and decoded only when its end,
its size and its window are known to be right. Nothing is allocated for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import zstandard

from bundle.errors import FormatError, LimitError, TruncatedError
from bundle.limits import MAX_ZSTD_BLOCKS, MAX_ZSTD_WINDOW

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_HEADER: Final = 5
_SIZE_BYTES: Final = (0, 2, 4, 8)
_RLE, _RESERVED = 1, 3


def text_compressor() -> zstandard.ZstdCompressor:
    """Return a compressor for text, code and whatever has matches."""
    return zstandard.ZstdCompressor(
        level=3, write_checksum=False, write_content_size=True, write_dict_id=False
    )


def plane_compressor() -> zstandard.ZstdCompressor:
    """Return a compressor for one byte plane of an array of numbers.

    A plane has skewed bytes and no matches worth a search: the smallest table
    and the longest minimum match leave the work to Huffman codes, which is
    both faster and smaller than any stock level.
    """
    return zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(
            compression_level=1,
            strategy=zstandard.STRATEGY_FAST,
            window_log=17,
            hash_log=6,
            chain_log=6,
            search_log=1,
            min_match=7,
            target_length=0,
            write_checksum=False,
            write_content_size=True,
            write_dict_id=False,
        )
    )


def decompressor() -> zstandard.ZstdDecompressor:
    """Return a decompressor for ``decompress_into``; for one thread at a time."""
    return zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW)


def decompress_into(
    decoder: zstandard.ZstdDecompressor,
    payload: memoryview,
    out: npt.NDArray[np.uint8],
) -> None:
    """Fill ``out`` from ``payload``, which must be one frame of just that size.

    Raises:
        FormatError: ``payload`` breaks a rule of §10.2.
    """
    check_frame(payload, out.size)
    try:
        size = decoder.stream_reader(payload).readinto(out)
    except zstandard.ZstdError as error:
        raise FormatError(f"zstd cannot decode it: {error}", rule="10.2.7") from None
    if size != out.size:
        raise FormatError(f"decodes to {size} bytes, not {out.size}", rule="10.2.7")


def check_frame(payload: memoryview, size: int) -> None:
    """Refuse ``payload`` unless it is one zstd frame that declares ``size`` bytes.

    Raises:
        LimitError: its window is over ``MAX_ZSTD_WINDOW``, or it has more than
            ``MAX_ZSTD_BLOCKS`` blocks.
        TruncatedError: it ends inside the frame.
        FormatError: it is anything else than such a frame.
    """
    if bytes(payload[:4]) != _MAGIC:
        raise FormatError("not a zstd frame", rule="10.2.1", offset=0)
    if len(payload) < _HEADER:
        raise TruncatedError("ends in the zstd header", rule="10.2.1", offset=4)
    descriptor = payload[4]
    if descriptor & 0x18:
        raise FormatError("reserved bits are set", rule="10.2.1", offset=4)
    if descriptor & 3:
        raise FormatError("needs a dictionary", rule="10.2.4", offset=4)
    end = _check_sizes(payload, descriptor, size)
    end = _walk_blocks(payload, end) + (4 if descriptor & 4 else 0)
    if end > len(payload):
        raise TruncatedError("ends in the zstd checksum", rule="10.2.5", offset=end)
    if end < len(payload):
        raise FormatError(
            f"{len(payload) - end} bytes follow the zstd frame",
            rule="10.2.6",
            offset=end,
        )


def _check_sizes(payload: memoryview, descriptor: int, size: int) -> int:
    """Check declared size and window; return where the first block starts."""
    single = descriptor & 0x20
    width = _SIZE_BYTES[descriptor >> 6] or (1 if single else 0)
    start = _HEADER if single else _HEADER + 1
    end = start + width
    if end > len(payload):
        raise TruncatedError("ends in the zstd header", rule="10.2.1", offset=4)
    if not width:
        raise FormatError("declares no content size", rule="10.2.2", offset=4)
    declared = int.from_bytes(payload[start:end], "little")
    if width == 2:
        declared += 256
    if declared != size:
        raise FormatError(
            f"declares {declared} bytes where {size} are due",
            rule="10.2.2",
            offset=start,
        )
    if single:
        window = declared
    else:
        base = 1 << (10 + (payload[_HEADER] >> 3))
        window = base + (base >> 3) * (payload[_HEADER] & 7)
    if window > MAX_ZSTD_WINDOW:
        raise LimitError(
            f"window of {window} bytes, over {MAX_ZSTD_WINDOW}",
            rule="10.2.3",
            offset=_HEADER,
        )
    return end


def _walk_blocks(payload: memoryview, start: int) -> int:
    """Return where the last block ends, which may be past the payload."""
    offset, total = start, len(payload)
    for _ in range(MAX_ZSTD_BLOCKS):
        if offset + 3 > total:
            raise TruncatedError("ends in a block", rule="10.2.5", offset=offset)
        header = payload[offset] | payload[offset + 1] << 8 | payload[offset + 2] << 16
        kind = header >> 1 & 3
        if kind == _RESERVED:
            raise FormatError("block of no known type", rule="10.2.1", offset=offset)
        offset += 3 + (1 if kind == _RLE else header >> 3)
        if header & 1:
            if offset > total:
                raise TruncatedError("ends in a block", rule="10.2.5", offset=total)
            return offset
    raise LimitError(
        f"over {MAX_ZSTD_BLOCKS} zstd blocks", rule="10.2.5", offset=offset
    )
