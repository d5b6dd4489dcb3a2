"""The artifact that most vectors are about: that of the examples in format.md."""

from __future__ import annotations

from typing import Final

from spec.vectors.generator.binary import File, b3, recipe, recipes, volume

HELLO: Final = b"hello, air gap\n"
"""The chunk of 5.6."""

OTHER: Final = b"a second chunk, as short as the first\n"
"""Another chunk."""

TINY: Final = (File(b"config.json", (b"{}\n",)), File(b"data/hello.txt", ([HELLO],)))
"""The files of 6.9."""

TINY_RECIPE: Final = recipe(TINY)
TINY_CONTENTS: Final = b3(b3(TINY_RECIPE))
TINY_RECIPES: Final = recipes([TINY_RECIPE], TINY_CONTENTS)
TINY_VOLUME: Final = volume([HELLO])
