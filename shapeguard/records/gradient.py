"""What receives a gradient, in which shape, and what cut it off."""

from dataclasses import dataclass
from typing import Any, Self

from shapeguard.records.codec import Fields, Json, Record, Size, integer_of, parts_of, size_of, text_of
from shapeguard.records.finding import Finding
from shapeguard.records.source import Span
from shapeguard.records.spec import Spec


@dataclass(frozen=True, slots=True)
class GradientRoot(Record):
    """A loss that the flow starts from."""

    target: str
    spec: Spec
    span: Span | None

    def as_json(self) -> dict[str, Json]:
        return {
            "target": self.target,
            "spec": self.spec.as_json(),
            "span": None if self.span is None else self.span.as_json(),
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(fields.text("target"), fields.record("spec", Spec), fields.optional_record("span", Span))


@dataclass(frozen=True, slots=True)
class GradientEntry(Record):
    """What one named tensor receives."""

    target: str
    spec: Spec
    reached: bool | None
    """None where it cannot be known; the reason is in `because`."""
    gradient_shape: tuple[Size, ...] | None
    summed_dims: tuple[int, ...]
    """Dims of the upstream gradient that are summed away because the forward pass broadcast."""
    because: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Json]:
        return {
            "target": self.target,
            "spec": self.spec.as_json(),
            "reached": self.reached,
            "gradient_shape": None if self.gradient_shape is None else list(self.gradient_shape),
            "summed_dims": list(self.summed_dims),
            "because": list(self.because),
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            fields.text("target"),
            fields.record("spec", Spec),
            fields.optional_truth("reached"),
            fields.optional_sequence("gradient_shape", size_of),
            fields.sequence("summed_dims", integer_of),
            fields.sequence("because", text_of),
        )


@dataclass(frozen=True, slots=True)
class Graph(Record):
    """The named part of an autograd graph, made on demand."""

    nodes: tuple[tuple[str, str, Spec | None], ...]
    """Id, label, and what the node gives."""
    edges: tuple[tuple[str, str, tuple[Size, ...] | None], ...]
    """From, to, and the shape of the gradient that flows."""

    def as_json(self) -> dict[str, Json]:
        return {
            "nodes": [[key, label, None if spec is None else spec.as_json()] for key, label, spec in self.nodes],
            "edges": [[tail, head, None if shape is None else list(shape)] for tail, head, shape in self.edges],
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(fields.sequence("nodes", _node), fields.sequence("edges", _edge))


def _node(value: Any) -> tuple[str, str, Spec | None]:
    key, label, spec = parts_of(value)
    return text_of(key), text_of(label), None if spec is None else Spec.read(Fields("Spec", spec))


def _edge(value: Any) -> tuple[str, str, tuple[Size, ...] | None]:
    tail, head, shape = parts_of(value)
    sizes = None if shape is None else tuple(size_of(size) for size in parts_of(shape))
    return text_of(tail), text_of(head), sizes


@dataclass(frozen=True, slots=True)
class GradientReport(Record):
    """All backward calls of one run, judged at its end."""

    roots: tuple[GradientRoot, ...]
    entries: tuple[GradientEntry, ...]
    cuts: tuple[Finding, ...] = ()
    """Of severity warning: what could have received gradient and was reached by no backward."""
    graph: Graph | None = None

    def as_json(self) -> dict[str, Json]:
        return {
            "roots": [root.as_json() for root in self.roots],
            "entries": [entry.as_json() for entry in self.entries],
            "cuts": [cut.as_json() for cut in self.cuts],
            "graph": None if self.graph is None else self.graph.as_json(),
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            fields.records("roots", GradientRoot),
            fields.records("entries", GradientEntry),
            fields.records("cuts", Finding),
            fields.optional_record("graph", Graph),
        )
