"""The text that names a target on the command line.

>>> parse_target("tree:/srv/models").location
'tree:/srv/models'
>>> parse_target("s3:bucket")
Traceback (most recent call last):
bundle.errors.UsageError: 's3:bucket' does not name a target
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.errors import UsageError
from bundle.target.hf_cache import HuggingFaceTarget
from bundle.target.tree import TreeTarget

if TYPE_CHECKING:
    from bundle.target.base import Target

HF_HOME: Final = "hf-home"
HF_CACHE: Final = "hf-cache"
TREE: Final = "tree"


def parse_target(text: str, *, copy: bool = False) -> Target:
    """Return the target that ``hf-home:``, ``hf-cache:`` or ``tree:PATH`` names.

    ``copy`` publishes real files where a Hugging Face cache has links; a tree
    has no links either way. Nothing is looked up: what is wrong with the
    directory itself is said when the target is used.

    Raises:
        UsageError: the text names no target.
    """
    scheme, path = split_target(text)
    if scheme == TREE:
        return TreeTarget(path)
    location = f"{scheme}:{path}"
    return HuggingFaceTarget(location, path, home=scheme == HF_HOME, copy=copy)


def split_target(text: str) -> tuple[str, Path]:
    """Return the scheme and the absolute path of a target's text.

    Raises:
        UsageError: the scheme is none of ours, or there is no path.
    """
    scheme, _, path = text.partition(":")
    if scheme not in (HF_HOME, HF_CACHE, TREE) or not path or "\0" in path:
        raise UsageError(
            f"{text!r} does not name a target",
            advice="write hf-home:PATH, hf-cache:PATH or tree:PATH",
        )
    if path.startswith("~"):
        raise UsageError(
            f"{text!r}: a shell does not expand '~' after a colon",
            advice='write "$HOME" in place of it',
        )
    return scheme, Path(path).absolute()
