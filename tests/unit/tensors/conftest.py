"""A count of the user's code that ran while a value was described: it must stay at nothing."""

from collections.abc import Iterator

import pytest

from shapeguard import tensors


@pytest.fixture
def ran() -> Iterator[list[str]]:
    calls: list[str] = []
    yield calls
    assert calls == []


@pytest.fixture(autouse=True)
def nothing_interned() -> Iterator[None]:
    tensors._interned.clear()
    yield
    tensors._interned.clear()
