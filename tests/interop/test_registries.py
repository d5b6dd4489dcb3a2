"""Images that other tools made cross into a registry that other tools read.

umoci makes a root filesystem into layers and changes one file of it; skopeo copies
there and back, in the formats that it knows; our own processes are killed, and have
little memory for a large layer.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from bundle.limits import MIB
from tests import registries
from tests.bundles import Site
from tests.layouts import Layout, noise

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.registries import RealRegistry

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        not registries.installed(registries.SKOPEO, "umoci"),
        reason="docker-registry, skopeo or umoci is missing: 'make interop' as root",
    ),
]

MOST_MIB = 200


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RealRegistry]:
    with registries.running(tmp_path / "registry") as running:
        yield running


def umoci(*words: object) -> None:
    done = subprocess.run(
        ["umoci", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def bundle(home: Path, *words: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Run ``bundle`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "bundle", *map(str, words)],
        env=_environment(home, more),
        capture_output=True,
        text=True,
        check=False,
    )


def _environment(home: Path, more: dict[str, str]) -> dict[str, str]:
    return {"HOME": str(home), "PATH": os.defpath, "BUNDLE_PLAIN_HTTP": "1", **more}


def digest_in(layout: Path, tag: str) -> str:
    entries = json.loads((layout / "index.json").read_text())["manifests"]
    name = "org.opencontainers.image.ref.name"
    return str(
        next(
            one["digest"]
            for one in entries
            if one.get("annotations", {}).get(name) == tag
        )
    )


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A layout by umoci: ``v1``, and ``v2`` with one file more."""
    layout, root = tmp_path / "made", tmp_path / "root"
    (root / "usr").mkdir(parents=True)
    shutil.copytree("/usr/share/doc/skopeo", root / "usr/doc", symlinks=True)
    (root / "usr/large").write_bytes(noise(3 * MIB))
    umoci("init", "--layout", layout)
    umoci("new", "--image", f"{layout}:v1")
    umoci("insert", "--image", f"{layout}:v1", root, "/")
    (tmp_path / "more").write_bytes(noise(50_000, "more"))
    umoci(
        "insert", "--image", f"{layout}:v1", "--tag", "v2", tmp_path / "more", "/more"
    )
    umoci("config", "--image", f"{layout}:v2", "--config.entrypoint", "/more")
    return layout


def test_what_umoci_made_keeps_its_digests_there_and_back(
    made: Path, registry: RealRegistry, tmp_path: Path
) -> None:
    site, out = Site(tmp_path / "site"), tmp_path / "o"
    common = ["--stream", "images", "--key", site.key_directory, "--out", out]
    first = bundle(tmp_path, "pack", f"oci-layout:{made}:v1", *common)
    assert first.returncode == 0, first.stderr
    release = out / "images-000001"
    to = ["--to", f"docker://{registry.host}", "--trust", site.root]
    assert bundle(tmp_path, "unpack", release, *to).returncode == 0
    second = bundle(tmp_path, "pack", f"oci-layout:{made}", *common, "--base", release)
    assert second.returncode == 0, second.stderr
    update = out / "images-000002"
    carried = sum(path.stat().st_size for path in update.glob("*.bdv"))
    assert 50_000 < carried < 100_000
    ran = bundle(tmp_path, "unpack", update, *to)
    assert ran.returncode == 0, ran.stderr
    for tag in ("v1", "v2"):
        assert registry.digest("made", tag) == digest_in(made, tag)
        back = f"oci:{tmp_path / 'back'}:{tag}"
        source = f"docker://{registry.host}/made:{tag}"
        registry.skopeo("copy", *registry.source_flags, source, back)
        assert digest_in(tmp_path / "back", tag) == digest_in(made, tag)


@pytest.mark.parametrize(
    ("kind", "compression"), [("oci", "gzip"), ("oci", "zstd"), ("v2s2", "gzip")]
)
def test_what_skopeo_pushed_is_pulled_in_any_form(
    made: Path, registry: RealRegistry, tmp_path: Path, kind: str, compression: str
) -> None:
    there = f"docker://{registry.host}/upstream/app:v2"
    flags = ["--format", kind, *registry.target_flags]
    if compression == "zstd":
        flags += ["--dest-compress", "--dest-compress-format", "zstd"]
    registry.skopeo("copy", *flags, f"oci:{made}:v2", there)
    site = Site(tmp_path / "site")
    out = tmp_path / "o"
    words = ["--stream", "images", "--key", site.key_directory, "--out", out]
    ran = bundle(tmp_path, "pack", there, *words)
    assert ran.returncode == 0, ran.stderr
    to = f"docker://{registry.host}/mirror"
    release = out / "images-000001"
    ran = bundle(tmp_path, "unpack", release, "--to", to, "--trust", site.root)
    assert ran.returncode == 0, ran.stderr
    assert registry.digest("mirror/upstream/app", "v2") == registry.digest(
        "upstream/app", "v2"
    )


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A layout with a layer of 512 MiB."""
    layout = Layout(tmp_path / "large")
    block = noise(8 * MIB)
    layer = layout.blob("application/vnd.oci.image.layer.v1.tar+gzip", block * 64)
    layout.add(layout.image(layer), "ghcr.io/team/large:v1")
    return layout.write()


def test_a_push_and_a_pull_of_a_large_layer_need_little_memory(
    large: Path, registry: RealRegistry, tmp_path: Path
) -> None:
    name = f"{registry.host}/app:v1"
    entries = json.loads((large / "index.json").read_text())["manifests"]
    index = {"schemaVersion": 2, "manifests": [{**entries[0], "annotations": {}}]}
    (large / "index.json").write_text(json.dumps(index))
    for words in (("--push", name, large), ("--pull", name, tmp_path / "cache")):
        assert _peak(*words) < MOST_MIB
    assert registry.digest("app", "v1") == entries[0]["digest"]


def _peak(*words: object) -> float:
    """Return the most MiB that one process of the benchmark has in memory."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.registry", *map(str, words)]
    )
    most = 0
    while process.poll() is None:
        most = max(most, _resident(process.pid))
        time.sleep(0.01)
    assert process.returncode == 0
    assert most
    return most / 1024


def _resident(pid: int) -> int:
    """Return the peak so far, in KiB, 0 where the process is gone."""
    try:
        with open(f"/proc/{pid}/status") as file:  # noqa: PTH123 - no Path of ours
            lines = [line for line in file if line.startswith("VmHWM")]
    except OSError:
        return 0
    return int(lines[0].split()[1]) if lines else 0


def test_a_push_that_is_killed_is_finished_by_the_next(
    large: Path, registry: RealRegistry, tmp_path: Path
) -> None:
    site = Site(tmp_path / "site")
    out = tmp_path / "o"
    words = ["--stream", "images", "--key", site.key_directory, "--out", out]
    assert bundle(tmp_path, "pack", f"oci-layout:{large}", *words).returncode == 0
    to = ["--to", f"docker://{registry.host}", "--trust", site.root]
    command = [sys.executable, "-m", "bundle", "unpack", out / "images-000001", *to]
    process = subprocess.Popen(
        list(map(str, command)),
        env=_environment(tmp_path, {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 100
    while not registry.requests("PATCH") and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert registry.digest("team/large", "v1") is None
    ran = bundle(tmp_path, "unpack", out / "images-000001", *to)
    assert ran.returncode == 0, ran.stderr
    assert registry.digest("team/large", "v1") is not None
    assert not list((tmp_path / ".local/state/bundle/targets").rglob("run-*"))
