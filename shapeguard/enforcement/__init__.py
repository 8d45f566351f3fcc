"""Guards: jaxtyping annotations enforced through beartype at call time."""

from jaxtyping import TypeCheckError

from shapeguard.enforcement.guard import guard

__all__ = ["TypeCheckError", "guard"]
