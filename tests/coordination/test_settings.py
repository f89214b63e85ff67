from __future__ import annotations

import pytest
from pydantic import ValidationError

from app.config import Settings


def test_the_password_of_redis_is_not_shown() -> None:
    assert "secret" not in repr(Settings(redis_url="redis://:secret@host/0"))


@pytest.mark.parametrize("url", ["http://:secret@host", "secret", "redis://"])
def test_what_is_no_redis_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValidationError, match="redis_url") as refused:
        Settings(redis_url=url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("prefix", ["", "a b", "a:b", "*"])
def test_a_prefix_is_a_plain_word(prefix: str) -> None:
    with pytest.raises(ValidationError, match="redis_prefix"):
        Settings(redis_prefix=prefix)
