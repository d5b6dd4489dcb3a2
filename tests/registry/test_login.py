"""Logins out of the files and helpers that other tools use."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from bundle.errors import UsageError
from bundle.limits import MAX_AUTH_FILE
from bundle.registry.login import Login, find_login
from bundle.registry.options import RegistryOptions

if TYPE_CHECKING:
    from pathlib import Path

HOST = "registry.example.com:5000"


def encoded(name: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{name}:{password}".encode()).decode()}


def write(path: Path, **auths: Any) -> Path:  # noqa: ANN401 - any JSON
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(auths))
    return path


def home(path: Path, **more: str) -> RegistryOptions:
    return RegistryOptions(environment={"HOME": str(path), **more})


async def test_without_any_file_there_is_no_login(tmp_path: Path) -> None:
    assert await find_login(HOST, "a/b", home(tmp_path)) is None


@pytest.mark.parametrize(
    ("place", "variable"),
    [
        pytest.param(".docker/config.json", "", id="docker's"),
        pytest.param("docker/config.json", "DOCKER_CONFIG=docker", id="DOCKER_CONFIG"),
        pytest.param(".config/containers/auth.json", "", id="podman's, kept"),
        pytest.param(
            "x/containers/auth.json", "XDG_CONFIG_HOME=x", id="XDG_CONFIG_HOME"
        ),
        pytest.param(
            "r/containers/auth.json", "XDG_RUNTIME_DIR=r", id="XDG_RUNTIME_DIR"
        ),
        pytest.param(
            "some.json", "REGISTRY_AUTH_FILE=some.json", id="REGISTRY_AUTH_FILE"
        ),
    ],
)
async def test_a_login_is_found_where_tools_keep_it(
    tmp_path: Path, place: str, variable: str
) -> None:
    write(tmp_path / place, auths={HOST: encoded("me", "secret:with a colon")})
    name, _, value = variable.partition("=")
    options = home(tmp_path, **({name: str(tmp_path / value)} if name else {}))
    assert await find_login(HOST, "a/b", options) == Login("me", "secret:with a colon")


async def test_the_file_that_was_named_is_the_only_one(tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", auths={HOST: encoded("me", "x")})
    named = write(tmp_path / "named.json", auths={})
    options = RegistryOptions(
        auth_file=named,
        environment={"HOME": str(tmp_path), "REGISTRY_AUTH_FILE": "/nowhere"},
    )
    assert await find_login(HOST, "a/b", options) is None


async def test_the_first_file_with_a_login_counts(tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", auths={HOST: encoded("docker", "x")})
    write(
        tmp_path / ".config/containers/auth.json", auths={HOST: encoded("podman", "x")}
    )
    found = await find_login(HOST, "a", home(tmp_path))
    assert found is not None
    assert found.username == "podman"


@pytest.mark.parametrize(
    ("repository", "name"),
    [("team/app", "app"), ("team/other", "team"), ("else", "all"), ("", "all")],
)
async def test_the_longest_name_that_fits_counts(
    tmp_path: Path, repository: str, name: str
) -> None:
    auths = {
        HOST: encoded("all", "x"),
        f"{HOST}/team": encoded("team", "x"),
        f"{HOST}/team/app": encoded("app", "x"),
    }
    write(tmp_path / ".docker/config.json", auths=auths)
    found = await find_login(HOST, repository, home(tmp_path))
    assert found is not None
    assert found.username == name


@pytest.mark.parametrize(
    "key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io"]
)
async def test_docker_hub_has_several_names(tmp_path: Path, key: str) -> None:
    write(tmp_path / ".docker/config.json", auths={key: encoded("me", "x")})
    assert await find_login("docker.io", "library/alpine", home(tmp_path))


async def test_registries_may_be_written_as_addresses(tmp_path: Path) -> None:
    auths = {f"https://{HOST}/v2/": encoded("me", "x")}
    write(tmp_path / ".docker/config.json", auths=auths)
    assert await find_login(HOST, "a", home(tmp_path)) == Login("me", "x")


async def test_an_identity_token_stands_for_a_password(tmp_path: Path) -> None:
    entry = {**encoded("00000000-0000", ""), "identitytoken": "long"}
    write(tmp_path / ".docker/config.json", auths={HOST: entry})
    found = await find_login(HOST, "a", home(tmp_path))
    assert found is not None
    assert found.identity_token == "long"  # noqa: S105 - made up


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"[]", "no file of logins that", id="another document"),
        pytest.param(b'{"auths": 7}', "no file of logins that", id="another type"),
        pytest.param(b"[" * 100_000, "no file of logins that", id="nested deep"),
        pytest.param(b" " * (MAX_AUTH_FILE + 1), "over 4194304 bytes", id="too large"),
        pytest.param(
            b'{"auths": {"registry.example.com:5000": {"auth": "***"}}}',
            "a login in it cannot be read",
            id="no base64",
        ),
    ],
)
async def test_a_file_that_is_none_is_refused(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    path = tmp_path / ".docker/config.json"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(UsageError, match=expected):
        await find_login(HOST, "a", home(tmp_path))


async def test_a_file_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    options = RegistryOptions(auth_file=tmp_path / "none.json")
    with pytest.raises(UsageError, match="no such file of logins"):
        await find_login(HOST, "a", options)


def test_a_login_never_shows_its_secret() -> None:
    shown = repr(Login("me", "hidden", "hidden")) + str(Login("me", "hidden"))
    assert "hidden" not in shown


def helper(directory: Path, script: str, name: str = "made-up") -> None:
    directory.mkdir(exist_ok=True)
    path = directory / f"docker-credential-{name}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def with_helper(tmp_path: Path, **auths: Any) -> RegistryOptions:  # noqa: ANN401 - any JSON
    write(tmp_path / ".docker/config.json", **auths)
    return home(tmp_path, PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin")


async def test_a_credential_helper_is_asked_for_its_registry(tmp_path: Path) -> None:
    helper(
        tmp_path / "bin",
        'read server; [ "$1" = get ] && '
        'printf \'{"ServerURL":"%s","Username":"me","Secret":"of %s"}\' x "$server"',
    )
    options = with_helper(tmp_path, credHelpers={HOST: "made-up"})
    assert await find_login(HOST, "a", options) == Login("me", f"of {HOST}")
    assert await find_login("other.example.com", "a", options) is None


async def test_a_helper_for_all_may_give_a_token(tmp_path: Path) -> None:
    helper(tmp_path / "bin", 'echo \'{"Username":"<token>","Secret":"t"}\'')
    options = with_helper(tmp_path, credsStore="made-up")
    assert await find_login(HOST, "a", options) == Login("", identity_token="t")  # noqa: S106


async def test_a_helper_that_has_none_leaves_the_file(tmp_path: Path) -> None:
    helper(tmp_path / "bin", "echo credentials not found in native keychain; exit 1")
    options = with_helper(
        tmp_path, credsStore="made-up", auths={HOST: encoded("me", "x")}
    )
    assert await find_login(HOST, "a", options) == Login("me", "x")


@pytest.mark.parametrize(
    ("script", "name", "expected"),
    [
        pytest.param("exit 3", "made-up", "failed for .* exit code 3", id="it fails"),
        pytest.param("echo hello", "made-up", "is no login", id="it says rubbish"),
        pytest.param("", "../../bin/sh", "cannot be the name", id="a path as a name"),
        pytest.param("", "absent", "not found", id="it is not there"),
    ],
)
async def test_a_helper_that_does_not_work_is_said(
    tmp_path: Path, script: str, name: str, expected: str
) -> None:
    helper(tmp_path / "bin", script)
    options = with_helper(tmp_path, credHelpers={HOST: name})
    with pytest.raises(UsageError, match=expected):
        await find_login(HOST, "a", options)
