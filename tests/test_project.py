"""What the documents and lock files promise, compared with what is there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from importlib.metadata import distribution
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from packaging.requirements import Requirement

from bundle import errors
from bundle.cli.parser import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
GUIDE = ROOT / "docs/operator-guide.md"
LICENCES = ROOT / "docs/licences.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LOCKS = sorted([*ROOT.glob("*.lock"), *ROOT.glob("tests/*/*.lock")])

LICENCE_OF_CLASSIFIER = {
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
}
SPDX_OF_TEXT = {"Apache 2.0": "Apache-2.0", "Dual License": ""}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def fenced(document: Path, *languages: str) -> Iterator[str]:
    """Give each fenced block of one of the languages."""
    text = document.read_text()
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        if match[1] in languages:
            yield match[2]


def commands(text: str) -> list[list[str]]:
    """Return the words of each ``bundle`` command in a shell session."""
    joined = text.replace("\\\n", " ")
    words = [
        shlex.split(line.removeprefix("$ "), comments=True)
        for line in joined.splitlines()
        if re.search(r"(^|[\s/])bundle [a-z]", line)
    ]
    found = []
    for line in words:
        names = [Path(word).name for word in line]
        if "bundle" in names:
            typed = line[names.index("bundle") + 1 :]
            found.append(
                list(takewhile(lambda word: ">" not in word and word != "|", typed))
            )
    return found


def shown_commands() -> dict[str, list[str]]:
    """Return each command that a document or the demonstration shows, once."""
    shown = [
        (relative(document), words)
        for document in (README, GUIDE)
        for block in fenced(document, "sh", "console")
        for words in commands(block)
    ]
    script = (ROOT / "demo/run").read_text().replace("\\\n", " ")
    lines = [
        line.partition(" | ")[0]
        for line in script.splitlines()
        if line.startswith(("outside ", "inside "))
    ]
    shown += [("demo/run", words) for words in commands("\n".join(lines))]
    return {f"{document}: {' '.join(words)}": words for document, words in shown}


@pytest.mark.parametrize(
    "words", [pytest.param(words, id=name) for name, words in shown_commands().items()]
)
def test_every_command_that_is_shown_is_one_that_the_parser_takes(
    words: list[str],
) -> None:
    assert parse(words, {}).verb


@pytest.mark.timeout(120)
def test_the_session_in_the_readme_works_as_pasted(tmp_path: Path) -> None:
    [session] = [text for text in fenced(README, "sh") if "bundle pack" in text]
    (tmp_path / "demo").symlink_to(ROOT / "demo")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    ran = subprocess.run(
        ["sh", "-eu"],
        input=session,
        capture_output=True,
        check=False,
        cwd=tmp_path,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert "found sentence-transformers/all-MiniLM-L6-v2" in ran.stdout


def exit_codes() -> set[int]:
    def below(kind: type[errors.BundleError]) -> Iterator[type[errors.BundleError]]:
        yield kind
        for each in kind.__subclasses__():
            yield from below(each)

    return {kind.exit_code for kind in below(errors.BundleError)}


def test_the_table_of_exit_codes_has_every_code_and_names_its_class() -> None:
    rows = re.findall(r"^\| (\d+) \|.*\|(.*)\|$", README.read_text(), re.MULTILINE)
    table = {int(code): re.findall(r"`(\w+)`", names) for code, names in rows}
    assert set(table) == exit_codes() | {0, 130}
    for code, names in table.items():
        for name in names:
            assert getattr(errors, name).exit_code == code


def manifests() -> list[dict[str, Any]]:
    return [
        document
        for block in fenced(GUIDE, "yaml")
        for document in yaml.safe_load_all(block)
    ]


def pods() -> list[Any]:
    return [
        pytest.param(spec, id=document["metadata"]["name"])
        for document in manifests()
        if document["kind"] in {"Pod", "Deployment"}
        for spec in [document["spec"].get("template", document)["spec"]]
    ]


def test_every_manifest_says_what_it_is() -> None:
    for document in manifests():
        assert {"apiVersion", "kind", "metadata", "spec"} == set(document)


@pytest.mark.parametrize("spec", pods())
def test_a_pod_runs_with_the_rights_that_any_namespace_grants(
    spec: dict[str, Any],
) -> None:
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
    mounted = {
        mount["name"]
        for container in spec["containers"]
        for mount in container["volumeMounts"]
    }
    assert mounted == {volume["name"] for volume in spec["volumes"]}


def test_a_model_server_mounts_what_hf_home_names_read_only() -> None:
    [spec] = [
        document["spec"]["template"]["spec"]
        for document in manifests()
        if document["kind"] == "Deployment"
    ]
    [server] = spec["containers"]
    variables = {each["name"]: each["value"] for each in server["env"]}
    mounts = {each["name"]: each for each in server["volumeMounts"]}
    assert mounts["models"] == {
        "name": "models",
        "mountPath": variables["HF_HOME"],
        "readOnly": True,
    }
    assert variables["HF_MODULES_CACHE"].startswith(mounts["scratch"]["mountPath"])
    assert variables["HF_HUB_OFFLINE"] == "1"


def anchor(heading: str) -> str:
    """Return what a heading is linked by."""
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        file, _, heading = link.partition("#")
        target = document.parent / file if file else document
        assert target.exists(), link
        if heading:
            titles = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert heading in map(anchor, titles), link


def test_the_index_of_decisions_lists_every_page() -> None:
    pages = {path.name for path in (ROOT / "docs/adr").glob("[0-9]*.md")}
    index = (ROOT / "docs/adr/README.md").read_text()
    assert set(re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", index)) == pages


@pytest.mark.parametrize("lock", LOCKS, ids=relative)
def test_a_lock_pins_and_hashes_everything_and_names_no_address(lock: Path) -> None:
    text = lock.read_text().replace("\\\n", "")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines
    for line in lines:
        requirement, *hashes = line.split(" --hash=")
        assert re.match(r"[\w.-]+==[\w.]+( ;|$|\s)", requirement), requirement
        assert hashes
        assert all(each.strip().startswith("sha256:") for each in hashes)
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


def test_what_runs_is_locked_as_it_is_tested() -> None:
    def pins(name: str) -> set[str]:
        return set(
            re.findall(r"^[\w.-]+==.*$", (ROOT / name).read_text(), re.MULTILINE)
        )

    assert pins("requirements-run.lock") < pins("requirements.lock")


def licence(name: str) -> str:
    """Return the licence that a package states, as SPDX writes it."""
    metadata = distribution(name).metadata
    stated = [
        *(metadata.get_all("License-Expression") or []),
        *(SPDX_OF_TEXT.get(text, text) for text in metadata.get_all("License") or []),
        *map(LICENCE_OF_CLASSIFIER.get, metadata.get_all("Classifier") or []),
    ]
    return str(next(text for text in stated if text))


def closure(name: str, extra: str = "") -> set[str]:
    """Return what a package needs here, and what that needs, without itself."""
    found: set[str] = set()
    waiting = [(name, extra)]
    while waiting:
        package, wanted = waiting.pop()
        for text in distribution(package).requires or []:
            requirement = Requirement(text)
            if requirement.marker and not requirement.marker.evaluate(
                {"extra": wanted}
            ):
                continue
            needed = requirement.name.lower().replace("_", "-")
            if needed not in found:
                found.add(needed)
                waiting.append((needed, ""))
    return found


@pytest.mark.parametrize(
    ("title", "extra"),
    [
        ("At run time", ""),
        ("With the extra `charts`", "charts"),
        ("With the extra `hf`", "hf"),
        ("With the extra `parity`", "parity"),
        ("With the extra `registry`", "registry"),
        ("With the extra `s3`", "s3"),
        ("With the extra `syncd`", "syncd"),
    ],
)
def test_the_licence_of_every_dependency_is_listed(title: str, extra: str) -> None:
    section = LICENCES.read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?:↳ )?([\w-]+) \| (.*?) \|", section, re.MULTILINE)
    listed = {name: text for name, text in rows if name != "package"}
    needed = closure("bundle-syncd", extra)
    if extra:
        needed -= closure("bundle-syncd")
    assert listed == {name: licence(name) for name in needed}
