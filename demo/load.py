"""Loads the model with the real huggingface_hub, as a server in a pod would.

HF_HOME=… HF_HUB_OFFLINE=1 python demo/load.py
"""

from __future__ import annotations

import json
from pathlib import Path

from huggingface_hub import __version__, constants, snapshot_download

MODEL = "sentence-transformers/all-MiniLM-L6-v2"


def main() -> None:
    """Find the newest revision and read its weights."""
    assert constants.HF_HUB_OFFLINE, "this demonstration must not ask the network"
    snapshot = Path(snapshot_download(MODEL))
    files = [path for path in snapshot.rglob("*") if path.is_file()]
    with (snapshot / "model.safetensors").open("rb") as weights:
        header = json.loads(weights.read(int.from_bytes(weights.read(8), "little")))
    tensors = len(header.keys() - {"__metadata__"})
    card = (snapshot / "README.md").read_text().splitlines()
    print(f"huggingface_hub {__version__} found {MODEL}")
    print(f"  revision {snapshot.name}")
    print(f"  {len(files)} files, {tensors} tensors")
    print(f"  the model card ends: {card[-1]}")


if __name__ == "__main__":
    main()
