"""Every bound a reader applies, with its unit and its reason.

A bound is checked before the memory or the time it guards is spent. A writer
keeps the same bounds, so that whatever is written can be read.
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB

MAX_CHUNK: Final = 1 * MIB
"""Bytes of one chunk: the unit of deduplication stays smaller than a shard."""

MAX_FRAME_PLAIN: Final = 4 * MIB
"""Plain bytes of one frame: what a worker has to hold decoded."""

MAX_FRAME_STORED: Final = 4 * MIB
"""Stored bytes of one frame's payload; encoding never makes a frame grow."""

MAX_FRAME_CHUNKS: Final = 1 << 16
"""Chunks in one frame: bounds its chunk table to 2.25 MiB."""

MAX_ZSTD_WINDOW: Final = 8 * MIB
"""Bytes of history a zstd frame may refer to (what every decoder supports)."""

MAX_ZSTD_BLOCKS: Final = 1 << 13
"""Blocks of one zstd frame: 4 MiB in blocks of 512 bytes; a full one has 128 KiB."""

MAX_VOLUME: Final = 4 * GIB - 64 * KIB
"""Bytes of one volume: FAT32 takes no file of 4 GiB."""

MIN_VOLUME: Final = 8 * MIB
"""Bytes of the smallest volume a packer makes: one frame and its index fit."""

MAX_VOLUME_CHUNKS: Final = 1 << 21
"""Chunks in one volume: bounds its index to 96 MiB."""

MAX_VOLUMES: Final = 99_999
"""Volumes of one bundle: their names have five digits."""

SHARD: Final = 1 * MIB
"""Bytes of one shard: the unit of checking a medium and of parity."""

MAX_LITERAL: Final = 4 * KIB
"""Bytes of one literal segment of a recipe."""

MAX_TRANSFORM_PARAMETERS: Final = 64 * KIB
"""Bytes of one transform's parameters."""

MAX_ENVELOPE: Final = 64 * MIB
"""Bytes of release.json or bundle.json: 100,000 artifacts take about 40 MiB."""

MAX_TRUST_FILE: Final = 512_000
"""Bytes of one root or roles file (the bound that TUF clients use for a root)."""

MAX_SIGNATURES: Final = 16
"""Signatures on one envelope: each costs a verification, no role has more keys."""

MAX_DETACHED_SIGNATURE: Final = 4 * KIB
"""Bytes of one signature in a file of its own."""

MAX_KEY_FILE: Final = 64 * KIB
"""Bytes of a private key in PEM."""

MAX_ROOTS: Final = 256
"""Trust roots followed in one chain (the bound that TUF clients use)."""

MAX_AUDIT_LINE: Final = 64 * KIB
"""Bytes of one line of the audit log: all that one decision names fits."""

MAX_DEPTH: Final = 16
"""Nesting of a JSON document."""

MAX_INTEGER: Final = (1 << 53) - 1
"""Largest integer in a JSON document: what every JSON reader holds exactly."""

MAX_TEXT: Final = 4 * KIB
"""Bytes of one text in a JSON document that is there to be shown."""

MAX_RECIPE: Final = 64 * GIB
"""Bytes of one recipe: about 1.7 billion chunks."""

MAX_RECIPES: Final = 100_000
"""Recipes in one bundle, and artifacts in one release."""

MAX_FILES: Final = 50_000_000
"""Files of one artifact: their columns in a recipe take 4.5 GB."""

MAX_PATH: Final = 1024
"""Bytes of one path inside an artifact: fits every target's PATH_MAX."""

MAX_NAME: Final = 255
"""Bytes of one component of a path: what Linux file systems take."""

MAX_PATH_DEPTH: Final = 64
"""Components of one path: each is a directory to make and to open."""

MAX_SHARDS_FILE: Final = 16 * GIB
"""Bytes of shards.bds: 512 TiB of payload at 32 bytes a MiB."""

MAX_APPROVAL: Final = 64 * MIB
"""Bytes of approval.md: 100,000 artifacts with a line for each file that matters."""

MAX_RECEIPT: Final = 2 * KIB
"""Bytes of a receipt: what fits on one printed page."""

MAX_RECEIPT_RELEASES: Final = 16
"""Releases of one stream that a receipt names."""

MAX_SETTINGS: Final = 1 * MIB
"""Bytes of a file of settings: a person wrote it."""

MAX_WANT: Final = 4 * GIB - 64 * KIB
"""Bytes of a want: 134 million chunks, and a file that FAT32 takes."""

MAX_SEQ_JUMP: Final = 1000
"""Releases one bundle may skip: a stolen key cannot exhaust the numbers."""

MAX_DIRECTORY_SCAN: Final = 4096
"""Entries looked at in a directory on a medium."""

MAX_CLOCK_AHEAD: Final = 48 * 3600
"""Seconds a release may be dated ahead of the receiver's time before it is held."""

MAX_TENSORS: Final = 1 << 18
"""Tensors of one file that is cut at them: bounds what its header becomes."""

MAX_SAFETENSORS_HEADER: Final = 100_000_000
"""Bytes of a safetensors header that is looked at (the format's own bound)."""

MAX_GGUF_METADATA: Final = 256 * MIB
"""Bytes of GGUF metadata that are looked at: vocabularies are a tenth of it."""

MAX_GGUF_ITEMS: Final = 4_000_000
"""Pairs and strings in arrays of one GGUF file: a second or two to walk."""

MAX_ZIP_DIRECTORY: Final = 64 * MIB
"""Bytes of a zip directory that are looked at: about a million members."""

MAX_GROUP: Final = 255
"""Shards of one parity group: the field that parity is computed in has no more."""

WRITTEN_GROUP: Final = 128
"""Shards of one parity group that is written: what an encoder holds, in MiB."""

MAX_PARITY_PERCENT: Final = 100
"""Parity shards for every hundred shards of payload, at most."""

MAX_PARITY_SHARDS: Final = MAX_VOLUMES * (MAX_VOLUME // SHARD)
"""Parity shards of one bundle: what the files that are numbered can hold."""

MAX_PARITY_HEAD: Final = 256 * MIB
"""Bytes of what a parity file says of itself: the list of 7 TiB, and copies."""

MAX_OCI_NAME: Final = 255
"""Bytes of an image's registry and repository (the bound of the registries)."""

MAX_OCI_MANIFEST: Final = 4 * MIB
"""Bytes of one manifest or index of an image (the bound of the registries)."""

MAX_OCI_LAYOUT_INDEX: Final = 16 * MIB
"""Bytes of the index.json of a layout: about 60,000 images."""

MAX_OCI_NESTING: Final = 8
"""Indexes in indexes: real ones have one level."""

MAX_OCI_MANIFESTS: Final = 10_000
"""Manifests that one image needs, with those that refer to it."""

MAX_AUTH_FILE: Final = 4 * MIB
"""Bytes of a file of registry logins; those that tools write are a few KiB."""

MAX_TOKEN_ANSWER: Final = 256 * KIB
"""Bytes of what a token server says: the longest tokens known have 20 KiB."""

MAX_REGISTRY_WORDS: Final = 64 * KIB
"""Bytes of an error that are read of a registry's answer."""

MAX_REDIRECTS: Final = 5
"""Redirects of one request that are followed."""

MAX_REFERRER_PAGES: Final = 100
"""Pages of one list of referrers, each of at most ``MAX_OCI_MANIFEST`` bytes."""

MAX_OBJECT_PAGES: Final = 100_000
"""Pages of one listing of a bucket: 100 million objects, and an end to a lie."""

MAX_GENERATION: Final = 9_999_999_999
"""Generations of a store in a bucket: names have ten digits."""

MAX_INDEX_PACKS: Final = 1 << 20
"""Packs that one index object of a store covers: a PiB in packs of 1 GiB."""

MAX_INDEX_OBJECT: Final = 64 * GIB
"""Bytes of one index object: 1.4 billion chunks."""

MAX_LEAVING: Final = 256 * MIB
"""Bytes of the list of what leaves a store in one generation: 2 million names."""

MIN_PART: Final = 5 * MIB
"""Bytes of the smallest part of a multipart upload, but for its last (S3's own)."""

MAX_PARTS: Final = 10_000
"""Parts of one multipart upload (S3's own)."""

MAX_OCI_MEMBERS: Final = 200_000
"""Members of a tar that holds images: each is a blob, a name or a directory."""

MAX_CHART_YAML: Final = 1 * MIB
"""Bytes of the Chart.yaml of a chart (what Helm takes of one file at most)."""

MAX_CHART: Final = 256 * MIB
"""Bytes of a chart as a file: most have kilobytes, Helm takes 20 MiB."""

MAX_TAR_MEMBERS: Final = 1 << 20
"""Headers of one tar that is cut at its members: some seconds to walk."""

MAX_MARKER: Final = 64 * MIB
"""Bytes of the object that says what is whole in a bucket: 100,000 artifacts."""

MAX_KEPT_RECIPE: Final = 256 * MIB
"""Bytes of a recipe that is kept in a bucket too: about 6 TiB of weights."""

MAX_MIRROR_NOTES: Final = 1 * GIB
"""Bytes of what is noted of objects that were fetched: 10 million of them."""
