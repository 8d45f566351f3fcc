"""The decorator."""

from typing import TypeVar

from beartype import beartype
from jaxtyping import jaxtyped

F = TypeVar("F")


def guard(function: F) -> F:
    """Enforce the jaxtyping annotations of `function` through beartype at each call."""
    guarded: F = jaxtyped(typechecker=beartype)(function)
    return guarded
