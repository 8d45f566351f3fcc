"""Guards: jaxtyping annotations enforced through beartype at call time."""

from jaxtyping import TypeCheckError

from shapeguard.enforcement.guard import guard
from shapeguard.enforcement.violation import finding_of

__all__ = ["TypeCheckError", "finding_of", "guard"]
