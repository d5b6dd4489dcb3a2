from __future__ import annotations

import pytest

from bundle.format.pickles import PICKLE_SUFFIXES, is_pickle


@pytest.mark.parametrize("suffix", PICKLE_SUFFIXES)
def test_a_name_that_a_loader_takes_for_a_pickle(suffix: str) -> None:
    assert is_pickle(f"a/b{suffix}")
    assert is_pickle(f"a/B{suffix.upper()}")
    assert not is_pickle(f"a{suffix}/model.safetensors")
    assert not is_pickle(f"a{suffix}.txt")
