from __future__ import annotations

import pytest

from bundle.errors import UsageError
from syncd.config import TargetSettings, read_config

LEAST = """\
state = "/var/lib/syncd"
[store]
path = "/var/lib/syncd/store"
[media]
watch = ["/media"]
[[target]]
name = "pvc"
to = "hf-home:/srv/models"
"""


def test_the_least_that_is_a_configuration() -> None:
    config = read_config(LEAST.encode(), "syncd.toml")
    assert config.target[0].to == "hf-home:/srv/models"
    assert config.receipt_directory == "/var/lib/syncd/receipts"
    assert (config.store.keep, config.site, config.http) == (3, "default", None)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"/var/lib/syncd"', '"here"', "syncd.toml:1: settings: state: 'here'"),
        ('"/var/lib/syncd/store"', '"x"', "syncd.toml:2: store: path: 'x' is no"),
        ('watch = ["/media"]', "watch = []", "syncd.toml:4: media: watch names no"),
        ('["/media"]', '["/media"]\ndepth = 9', "syncd.toml:6: media.depth: Expected"),
        ('name = "pvc"', 'name = "P V C"', "syncd.toml:6: target[0]: "),
        ('name = "pvc"', 'nam = "pvc"', "syncd.toml:7: target[0]: Object contains"),
        ('name = "pvc"\n', "", "syncd.toml:6: target[0]: Object missing"),
        (
            "[[target]]",
            '[[target]]\nname = "pvc"\nto = "tree:/x"\n[[target]]',
            "syncd.toml:1: settings: two targets are called 'pvc'",
        ),
        ("[store]", "[http]\nport = 70000\n[store]", "syncd.toml:3: http.port"),
        (
            "[store]",
            '[http]\naddress = "0.0.0.0"\n[store]',
            "syncd.toml:2: http: address 0.0.0.0 needs certificate and key",
        ),
        (
            "[store]",
            '[http]\ncertificate = "/c"\n[store]',
            "syncd.toml:2: http: certificate and key go together",
        ),
        (
            "[store]",
            '[http]\nclient_ca = "/c"\n[store]',
            "syncd.toml:2: http: client_ca needs a certificate",
        ),
        (
            'path = "/var/lib/syncd/store"',
            'path = "/s"\npins = ["12"]',
            "syncd.toml:2: store: '12' is no digest",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(old: str, new: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_config(LEAST.replace(old, new, 1).encode(), "syncd.toml")
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("patterns", "selected"),
    [
        (("*",), True),
        (("org/*",), True),
        (("hf-model:*",), True),
        (("hf-model:org/small",), True),
        (("oci-image:*", "other/*"), False),
        (("ORG/*",), False),
    ],
)
def test_a_target_selects_by_kind_and_name(
    patterns: tuple[str, ...], *, selected: bool
) -> None:
    target = TargetSettings("pvc", "tree:/x", artifacts=patterns)
    assert target.selects("hf-model", "org/small") is selected


def test_terms_are_inside_where_they_are_not_in_the_state() -> None:
    assert read_config(LEAST.encode(), "syncd.toml").trust is None
    stream = f'[trust]\ngaps = "refuse"\n[[trust.stream]]\nid = "{"ab" * 16}"\n'
    config = read_config((LEAST + stream).encode(), "syncd.toml")
    assert config.trust is not None
    assert config.trust.gaps_of("ab" * 16) == "refuse"
    with pytest.raises(UsageError, match=r"syncd\.toml:10: trust: jump is 1 to"):
        read_config((LEAST + "\n[trust]\njump = 0\n").encode(), "syncd.toml")
