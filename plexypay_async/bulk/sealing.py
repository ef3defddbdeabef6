"""What a journal keeps of a link, and the seal that proves that a job of the account wrote it.

The seal is a keyed hash, whose key comes from the API key: whoever can write the file but does not have the
key cannot make one. It covers the order reference, the row's digest, the link's id and the answer's hash. It
stays when the answer is purged, and then still proves which link is the row's.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import attrs
import orjson

from .._privacy.hiding import MASK, id_in
from .._privacy.secret import Secret

__all__ = ["Kept", "Seal", "decoded", "link_in"]

LARGEST_KEPT = 64 * 1024
"""Bytes of an answer that a journal keeps; the link of a larger one is retrieved when it is needed."""
_MASK = orjson.dumps(MASK)[1:-1]


class Seal:
    """Makes and checks the seals of one account's journal.

    Args:
        api_key: The account's key.
        salt: The journal's salt.
    """

    def __init__(self, api_key: Secret[str], salt: bytes) -> None:
        root = Secret(api_key.slow_digest(salt))
        self._key = Secret(root.keyed_digest(b"plexypay journal: seal"))
        self.check: bytes = root.keyed_digest(b"plexypay journal: key")
        """What a journal recognises the key by; neither the key nor a seal can be made from it."""

    def of(self, reference: str, digest: bytes, link: str, answer_hash: bytes) -> bytes:
        """Return the seal of one row."""
        parts = (reference.encode(), digest, link.encode(), answer_hash)
        return self._key.keyed_digest(b"".join(len(part).to_bytes(8) + part for part in parts))

    def proves(self, row: Kept, seal: Any) -> bool:
        """Tell whether a seal proves that a row is as the journal wrote it."""
        if not isinstance(seal, bytes) or row.link is None or not isinstance(row.answer_hash, bytes):
            return False
        try:
            made = self.of(row.reference, row.digest, row.link, row.answer_hash)
        except (TypeError, ValueError):
            return False
        if not hmac.compare_digest(made, seal):
            return False
        return row.answer is None or hashlib.sha256(row.answer).digest() == row.answer_hash


@attrs.frozen
class Kept:
    """What a journal has of a row that is done."""

    reference: str
    digest: bytes
    link: str | None
    """The link's id."""
    answer_hash: Any
    answer: bytes | None = None
    """The answer as JSON; None where it was purged, or not fit to be kept."""

    @classmethod
    def of(cls, reference: str, digest: bytes, link: str, answer: Any) -> Kept:
        """Return what to keep of the link with this id and of its decoded answer, however odd they are."""
        identity = id_in({"id": link})
        try:
            written = b"" if answer is None else orjson.dumps(answer)
        except (TypeError, ValueError, RecursionError):
            # Such as one that is nested more deeply than can be written.
            written = b""
        # Where something was hidden in it, it is not what the server wrote.
        if not 0 < len(written) <= LARGEST_KEPT or _MASK in written:
            return cls(reference, digest, identity, b"")
        return cls(reference, digest, identity, hashlib.sha256(written).digest(), written)

    @classmethod
    def found(cls, reference: str, digest: Any, link: Any, answer_hash: Any, answer: Any) -> Kept:
        """Return what a file has of a row, which others may have written."""
        # The earlier format had the id in the answer only.
        identity = link if isinstance(link, str) else link_in(answer)
        return cls(reference, digest, identity, answer_hash, answer if isinstance(answer, bytes) else None)


def decoded(answer: Any) -> Any:
    """Return a kept answer as an object; None where it is none, or cannot be read."""
    if not isinstance(answer, (bytes, str)):
        return None
    try:
        return orjson.loads(answer)
    except ValueError:
        return None


def link_in(answer: Any) -> str | None:
    """Return the link's id in a kept answer, if there is one."""
    return id_in(decoded(answer))
