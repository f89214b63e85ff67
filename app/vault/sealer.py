"""Encryption at rest by Fernet (AES-128-CBC, HMAC-SHA256): the first key for what is written, all for what is read."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from app.domain.errors import InvalidInput, SecretUnreadable

_REMEDY = "Set CRONLEDGER_SECRET_KEYS to what `cronledger secrets new-key` prints, on every replica."


def new_key() -> str:
    return Fernet.generate_key().decode()


def read_keys(text: str) -> tuple[str, ...]:
    """The keys, separated by commas or blanks. Raises ValueError, which tells none of them."""
    keys = tuple(text.replace(",", " ").split())
    for number, key in enumerate(keys, 1):
        try:
            Fernet(key)
        except ValueError:
            raise ValueError(f"key {number} is no Fernet key: `cronledger secrets new-key` prints one") from None
    return keys


class Sealer:
    """Without keys it opens nothing, and seals nothing."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys]) if keys else None

    def __bool__(self) -> bool:
        return self._fernet is not None

    def seal(self, value: str, *, field: str) -> str:
        """Raises InvalidInput, which names the field, where there is no key."""
        if self._fernet is None:
            raise InvalidInput(f"{field}: the service has no key to encrypt it with.", field=field, remedy=_REMEDY)
        return self._fernet.encrypt(value.encode()).decode()

    def open(self, token: str) -> str:
        """Raises SecretUnreadable."""
        if self._fernet is None:
            raise SecretUnreadable
        try:
            return self._fernet.decrypt(token).decode()
        except (InvalidToken, ValueError):  # what is not even ASCII
            raise SecretUnreadable from None

    def rotate(self, token: str) -> str:
        """The same under the first key. Raises SecretUnreadable."""
        if self._fernet is None:
            raise SecretUnreadable
        try:
            return self._fernet.rotate(token).decode()
        except (InvalidToken, ValueError):  # what is not even ASCII
            raise SecretUnreadable from None


WITHOUT_KEYS = Sealer()
