"""``trust.toml``: what may be in it, and what each line means."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import bundle
from bundle.errors import UsageError
from bundle.settings import read_settings
from bundle.trust.terms import OPEN, Policy, StreamTerms

ID = "ab" * 16


def read(text: str) -> Policy:
    return read_settings(text.encode(), Policy, "trust.toml")


def test_the_example_in_the_specification_is_one() -> None:
    spec = Path(bundle.__file__).parents[1] / "spec/trust.md"
    (text,) = re.findall(r"```toml\n(.*?)```", spec.read_text(), re.DOTALL)
    policy = read(text)
    assert (policy.site, policy.approvers, policy.jump) == ("hall-7", 1, 1000)
    (stream,) = policy.stream
    assert policy.approvers_of(stream.id) == 2
    assert stream.covers("hf-model", "sentence-transformers/all-MiniLM-L6-v2")
    assert stream.takes("27a5995a62ba0299f1d0a3e7a1c6d2b4")


def test_nothing_asks_for_nothing() -> None:
    assert read("") == OPEN == Policy()
    assert OPEN.of(ID) is None
    assert (OPEN.approvers_of(ID), OPEN.gaps_of(ID)) == (0, "warn")
    assert OPEN.pickles_of(ID) is None


REFUSED = {
    "an unknown member": ("colour = 1", 1, "colour"),
    "an unknown member of a stream": (f'[[stream]]\nid = "{ID}"\nkind = []', 3, "kind"),
    "a site that is no slug": ('site = "Hall 7"', 1, "name 'Hall 7'"),
    "an id that is none": ('[[stream]]\nid = "models-prod"', 1, "32 digits"),
    "an id in upper case": (f'[[stream]]\nid = "{ID.upper()}"', 1, "32 digits"),
    "no id": ('[[stream]]\nname = "a"', 1, "id"),
    "one stream twice": (f'[[stream]]\nid="{ID}"\n[[stream]]\nid="{ID}"', 1, "twice"),
    "a kind that is none": (f'[[stream]]\nid="{ID}"\nkinds=["A B"]', 1, "name 'A B'"),
    "a key that is too short": (f'[[stream]]\nid="{ID}"\nkeys=["abcd"]', 1, "16 to 64"),
    "a star inside": (f'[[stream]]\nid="{ID}"\nnames=["a*b"]', 1, "only be the end"),
    "an empty name": (f'[[stream]]\nid="{ID}"\nnames=[""]', 1, "only be the end"),
    "a jump of zero": ("jump = 0", 1, "jump is 1 to 1000000"),
    "a jump over the bound": ("jump = 1000001", 1, "jump is 1 to 1000000"),
    "hours over the bound": ("ahead-hours = 8761", 1, "ahead-hours is 1 to 8760"),
    "hours of zero": ("ahead-hours = 0", 1, "ahead-hours is 1 to 8760"),
    "too many approvers": ("approvers = 17", 1, "approvers is 0 to 16"),
    "fewer than no approvers": ("approvers = -1", 1, "approvers is 0 to 16"),
    "an answer there is not": ('\n\ngaps = "maybe"', 3, "gaps"),
    "a number for a text": ("site = 7", 1, "site"),
    "no TOML": ("gaps =", 1, "not TOML"),
}


@pytest.mark.parametrize(("text", "line", "said"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_sense_is_told_by_its_line(
    text: str, line: int, said: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(said)) as caught:
        read(text)
    assert str(caught.value).startswith(f"trust.toml:{line}: ")


def test_a_stream_falls_back_on_the_whole() -> None:
    own = StreamTerms(id=ID, gaps="warn", pickles="refuse", approvers=0)
    policy = Policy(gaps="refuse", approvers=2, stream=(own,))
    assert (policy.gaps_of(ID), policy.pickles_of(ID)) == ("warn", "refuse")
    assert policy.approvers_of(ID) == 0
    assert (policy.gaps_of("0" * 32), policy.approvers_of("0" * 32)) == ("refuse", 2)
    plain = Policy(gaps="refuse", pickles="warn", stream=(StreamTerms(id=ID),))
    assert (plain.gaps_of(ID), plain.pickles_of(ID)) == ("refuse", "warn")


NAMES = {
    "any": ((), "gpt2", True),
    "this one": (("gpt2",), "gpt2", True),
    "another": (("gpt2",), "gpt2-large", False),
    "all of an organisation": (("meta-llama/*",), "meta-llama/Llama-3", True),
    "an organisation with a longer name": (("meta-llama/*",), "meta-llama-x/y", False),
    "everything": (("*",), "gpt2", True),
    "one of several": (("a", "b*"), "bc", True),
    "letters of another case": (("GPT2",), "gpt2", False),
}


@pytest.mark.parametrize(("names", "name", "fits"), NAMES.values(), ids=NAMES)
def test_names(names: tuple[str, ...], name: str, *, fits: bool) -> None:
    assert StreamTerms(id=ID, names=names).covers("tree", name) is fits


def test_kinds_and_keys() -> None:
    terms = StreamTerms(id=ID, kinds=("tree",), keys=("ab" * 8,))
    assert terms.covers("tree", "x")
    assert not terms.covers("hf-model", "x")
    assert terms.takes("ab" * 32)
    assert not terms.takes("cd" * 32)
