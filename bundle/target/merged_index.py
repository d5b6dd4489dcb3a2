"""One index.json for the images of many artifacts (rule 90.7.3).

Entries that are not ours are kept as they are, members that nobody here knows
included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from bundle.errors import FormatError, TargetError
from bundle.limits import MAX_OCI_LAYOUT_INDEX
from bundle.oci import layouts, manifests
from bundle.oci.descriptors import REF_NAME
from bundle.oci.media_types import OCI_INDEX
from bundle.wire import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bundle.oci.descriptors import Descriptor

_LISTED: Final = "manifests"


class MergedIndex:
    """What an index.json lists, as plain JSON."""

    def __init__(self, data: bytes | None, place: str) -> None:
        """Read the index at ``place``; None stands for one that is not there.

        Raises:
            TargetError: it is not an index of a layout.
        """
        self._document: dict[str, Any] = {
            "schemaVersion": manifests.SCHEMA,
            "mediaType": OCI_INDEX,
            _LISTED: [],
        }
        if data is None:
            return
        try:
            layouts.parse_index(data)
            self._document = parse_json(data, limit=MAX_OCI_LAYOUT_INDEX, rule="90.6.2")
        except FormatError as error:
            raise TargetError(
                f"{place}: not an index of an image layout: {error}",
                advice="move it elsewhere, or name another directory",
            ) from error

    @property
    def entries(self) -> list[dict[str, Any]]:
        """What is listed now."""
        listed: list[dict[str, Any]] = self._document[_LISTED]
        return listed

    def names(self, name: str, digest: str) -> bool:
        """Return whether the entry of this name is ``digest``."""
        found = [one["digest"] for one in self.entries if _name(one) == name]
        return found == [digest]

    def merge(self, fresh: Iterable[Descriptor]) -> None:
        """List these entries, in place of those with their names."""
        for one in fresh:
            entry = msgspec.to_builtins(one)
            name = _name(entry)
            stale = [old for old in self.entries if _is_replaced(old, name, one.digest)]
            if stale == [entry]:
                continue
            kept = [old for old in self.entries if old not in stale]
            self._document[_LISTED] = [*kept, entry]

    def serialize(self) -> bytes:
        """Return the index.json, sorted by name and digest."""
        listed = sorted(self.entries, key=lambda one: (_name(one), one["digest"]))
        return msgspec.json.encode({**self._document, _LISTED: listed})

    def digests(self) -> Iterator[str]:
        """Yield the digests of all entries."""
        yield from (one["digest"] for one in self.entries)


def _name(entry: dict[str, Any]) -> str:
    return (entry.get("annotations") or {}).get(REF_NAME) or ""


def _is_replaced(old: dict[str, Any], name: str, digest: str) -> bool:
    """Return whether an entry makes room for one of this name and digest."""
    return _name(old) == name if name else not _name(old) and old["digest"] == digest
