"""Images as values that a person copies into a chart's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from bundle.rendering.mirrors import Moved

REPOSITORY: Final = "repository"
REGISTRY: Final = "registry"
TAG: Final = "tag"
DIGEST: Final = "digest"


def listed_values(images: list[Moved]) -> dict[str, Any]:
    """Return images by the last part of their names, for charts that are not here."""
    return {
        "images": {
            one.name.repository.rpartition("/")[2]: {
                REPOSITORY: one.mirror,
                TAG: one.name.tag or "",
                DIGEST: one.revision,
            }
            for one in images
        }
    }
