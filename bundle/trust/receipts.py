"""Receipts, signed by a site and read by a packer (spec §60.1).

A site makes its key by itself, so a receipt can arrive before the roles name its
site. It is taken on its word then, with a warning: what it says can only make a
bundle smaller than the site can use, never one that it should not accept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundle.errors import FormatError
from bundle.format.receipt import Receipt
from bundle.limits import MAX_RECEIPT
from bundle.trust.envelope import RECEIPT_TYPE, check, parse, require, sign
from bundle.trust.roles import SITE_PREFIX

if TYPE_CHECKING:
    from bundle.trust.keys import PrivateKey
    from bundle.trust.roles import Roles


@dataclass(frozen=True, slots=True)
class ReadReceipt:
    """A receipt, and what whoever uses it should be told."""

    receipt: Receipt
    warnings: tuple[str, ...]


def sign_receipt(receipt: Receipt, key: PrivateKey) -> bytes:
    """Return the file of ``receipt``, signed by a site's key.

    Raises:
        FormatError: it names more than fits into one.
    """
    return sign(receipt.serialize(), RECEIPT_TYPE, [key])


def read_receipt(data: bytes, roles: Roles | None) -> ReadReceipt:
    """Return the receipt in a file; ``roles`` say whose key is its site's.

    Raises:
        LimitError: it is larger than a receipt is.
        FormatError: it is none.
        TrustError: the roles name its site, and another key signed it.
    """
    envelope = parse(data, limit=MAX_RECEIPT)
    if envelope.payload_type != RECEIPT_TYPE:
        raise FormatError(
            f"not a receipt but {envelope.payload_type[:80]!r}", rule="60.1.2"
        )
    receipt = Receipt.parse(envelope.payload)
    role = None if roles is None else roles.by_name.get(f"{SITE_PREFIX}{receipt.site}")
    if role is not None:
        require(check(envelope, role.keys, role.threshold), envelope, RECEIPT_TYPE)
        return ReadReceipt(receipt, ())
    warning = (
        f"the receipt of site {receipt.site} is not verified: the roles do not name "
        "that site; to enrol it, run 'bundle trust site-key "
        f"--site {receipt.site}' there and here 'bundle trust role add "
        f"{SITE_PREFIX}{receipt.site} KEY'"
    )
    return ReadReceipt(receipt, (warning,))
