"""What one value is: strings and numbers only, never a tensor."""

from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias, get_args

from shapeguard.records.codec import Fields, Json, Record, Size, pair_of_texts, parts_of, size_of, text_of

Kind: TypeAlias = Literal["tensor", "array", "container", "module", "scalar", "other"]
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Spec(Record):
    """What one value is. Its data is never part of it.

    >>> Spec(kind="tensor", type="torch.Tensor", shape=(6, 10), dtype="int64", nbytes=480).shape
    (6, 10)
    """

    kind: str
    """tensor | array | container | module | scalar | other"""
    type: str
    """Qualified type name, such as `torch.nn.parameter.Parameter`."""
    shape: tuple[Size, ...] | None = None
    dims: tuple[str | None, ...] | None = None
    """Names of the dims, where they are known."""
    dtype: str | None = None
    device: str | None = None
    requires_grad: bool | None = None
    """None where the question has no meaning."""
    grad_fn: str | None = None
    is_leaf: bool | None = None
    nbytes: int | None = None
    traits: tuple[tuple[str, str], ...] = ()
    """Only what is unusual: layout, local shape, what a bounded look left out, a module's parameter counts."""
    items: tuple[tuple[str, "Spec"], ...] = ()
    """Entries of containers and children of modules, bounded."""

    def as_json(self) -> dict[str, Json]:
        return {
            "kind": self.kind,
            "type": self.type,
            "shape": None if self.shape is None else list(self.shape),
            "dims": None if self.dims is None else list(self.dims),
            "dtype": self.dtype,
            "device": self.device,
            "requires_grad": self.requires_grad,
            "grad_fn": self.grad_fn,
            "is_leaf": self.is_leaf,
            "nbytes": self.nbytes,
            # Most values have neither, and a comprehension costs its call even then.
            "traits": [[name, value] for name, value in self.traits] if self.traits else [],
            "items": [[key, item.as_json()] for key, item in self.items] if self.items else [],
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            fields.text("kind"),
            fields.text("type"),
            fields.optional_sequence("shape", size_of),
            fields.optional_sequence("dims", lambda name: None if name is None else text_of(name)),
            fields.optional_text("dtype"),
            fields.optional_text("device"),
            fields.optional_truth("requires_grad"),
            fields.optional_text("grad_fn"),
            fields.optional_truth("is_leaf"),
            fields.optional_integer("nbytes"),
            fields.sequence("traits", pair_of_texts),
            fields.sequence("items", read_item),
        )

    def trait(self, name: str) -> str | None:
        """The value of one trait, or None where the value has nothing unusual of that name."""
        for key, value in self.traits:
            if key == name:
                return value
        return None


def read_item(value: Any) -> tuple[str, Spec]:
    """One `[key, Spec]` entry."""
    key, item = parts_of(value)
    return text_of(key), Spec.read(Fields("Spec", item))
