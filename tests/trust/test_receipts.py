from __future__ import annotations

from types import MappingProxyType

import pytest

from bundle.errors import FormatError, LimitError, TrustError
from bundle.limits import MAX_RECEIPT
from bundle.trust.envelope import RECEIPT_TYPE, RELEASE_TYPE, sign
from bundle.trust.keys import PrivateKey
from bundle.trust.receipts import read_receipt, sign_receipt
from bundle.trust.roles import Role, Roles
from tests.format.test_receipt import held, sample

KEY = PrivateKey.generate()


def roles(*keys: PrivateKey, site: str = "lab-1") -> Roles:
    role = Role(f"site:{site}", tuple(key.public for key in keys), 1)
    return Roles(1, 1 << 40, MappingProxyType({role.name: role}), b"")


def test_a_receipt_by_a_key_of_its_site_is_believed() -> None:
    read = read_receipt(sign_receipt(sample(), KEY), roles(KEY))
    assert read.receipt == sample()
    assert read.warnings == ()


def test_a_site_that_is_not_enrolled_is_believed_with_the_way_to_enrol_it() -> None:
    for known in (None, roles(KEY, site="lab-2")):
        read = read_receipt(sign_receipt(sample(), KEY), known)
        assert read.receipt == sample()
        assert "'bundle trust role add site:lab-1 KEY'" in read.warnings[0]
        assert "site:lab-1" in read.warnings[0]


def test_a_receipt_by_anyone_else_is_refused_once_its_site_is_enrolled() -> None:
    with pytest.raises(TrustError):
        read_receipt(sign_receipt(sample(), PrivateKey.generate()), roles(KEY))


def test_other_signed_bytes_are_no_receipt() -> None:
    with pytest.raises(FormatError, match="not a receipt"):
        read_receipt(sign(sample().serialize(), RELEASE_TYPE, [KEY]), None)
    with pytest.raises(FormatError):
        read_receipt(sign(b"{}", RECEIPT_TYPE, [KEY]), None)
    with pytest.raises(LimitError):
        read_receipt(b" " * (MAX_RECEIPT + 1), None)


def test_the_fullest_receipt_is_printable_and_fits_on_a_page() -> None:
    full = sample(*(held(16, number) for number in range(9)))
    data = sign_receipt(full.fitted(f"{0:032x}"), KEY)
    assert 1700 < len(data) <= MAX_RECEIPT
    assert data.decode("ascii").isprintable()
