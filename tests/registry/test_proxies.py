"""Which proxy stands between."""

from __future__ import annotations

import pytest
from yarl import URL

from bundle.registry.proxies import proxy_for

URL_ = URL("https://registry.example.com:5000/v2/")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"HTTP_PROXY": "http://p:1"}, None),
        ({"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"https_proxy": "p:1"}, "http://p:1"),
        ({"https_proxy": "http://a", "HTTPS_PROXY": "http://b"}, "http://a"),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "registry.example.com"}, None),
        ({"HTTPS_PROXY": "http://p", "no_proxy": "a, .example.com"}, None),
        ({"HTTPS_PROXY": "http://p", "no_proxy": "*.example.com"}, None),
        ({"HTTPS_PROXY": "http://p", "no_proxy": "example.com"}, None),
        ({"HTTPS_PROXY": "http://p", "no_proxy": "registry.example.com:5000"}, None),
        (
            {"HTTPS_PROXY": "http://p", "no_proxy": "registry.example.com:443"},
            "http://p",
        ),
        ({"HTTPS_PROXY": "http://p", "no_proxy": "ample.com"}, "http://p"),
    ],
)
def test_variables_say_which_proxy(
    environment: dict[str, str], expected: str | None
) -> None:
    assert proxy_for(URL_, environment) == expected
