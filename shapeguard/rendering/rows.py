"""What a report shows, apart from how it is drawn: one row for each value."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby

from shapeguard.notation import brief
from shapeguard.records import KINDS, Observation, Spec


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: `X`, `f32[6, 10, 8]`, `leaf, requires_grad`."""

    name: str
    brief: str
    note: str
    line: int | None = None
    """Where it stands in its source; None where that says nothing."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which observations get a row."""

    limit: int | None = 40
    kinds: tuple[str, ...] = KINDS
    names: tuple[str, ...] = ()
    """Patterns (`fnmatch`) of which a name must match one; none: every name."""

    @property
    def admits_all(self) -> bool:
        """Whether nothing is filtered."""
        return not self.names and {*self.kinds, "scalar", "other"}.issuperset(KINDS)

    def admits(self, name: str, spec: Spec) -> bool:
        """Whether a value of this name and kind gets a row."""
        return spec.kind in self.kinds and (not self.names or any(fnmatchcase(name, p) for p in self.names))


@dataclass(frozen=True, slots=True)
class Table:
    """The rows to draw, and how many more there are."""

    rows: tuple[Row, ...] = ()
    more: int = 0


ALL = Selection()
_MAX_NAME = 60


def rows_of(observations: Sequence[Observation], selection: Selection = ALL, *, numbered: bool = False) -> Table:
    """The rows of a cell; a name that is bound more than once, or with `numbered` each, carries its line.

    >>> rows_of(()).rows
    ()
    """
    chosen = observations
    if not selection.admits_all:
        chosen = [seen for seen in observations if selection.admits(seen.target, seen.spec)]
    times = Counter([seen.target for seen in chosen])
    limit = len(chosen) if selection.limit is None else selection.limit
    rows = []
    # Values that are alike share one Spec, and its texts are worked out once. Looked up by identity: to hash a Spec
    # costs as much as the texts.
    texts: dict[int, tuple[str, str]] = {}
    for seen in chosen[:limit]:
        value, details = texts.get(id(seen.spec)) or texts.setdefault(
            id(seen.spec), (brief(seen.spec), note(seen.spec))
        )
        if times[seen.target] > 1 and not numbered:
            place = f"line {seen.span.line}"
            details = f"{place}, {details}" if details else place
        rows.append(Row(shortened(seen.target), value, details, seen.span.line if numbered else None))
    return Table(tuple(rows), max(0, len(chosen) - limit))


def shortened(name: str, limit: int = _MAX_NAME) -> str:
    """A name or expression on one line, cut in the middle where it is long."""
    if len(name) <= limit and name.isidentifier():
        return name
    flat = " ".join(name.split())
    half = (limit - 3) // 2
    return flat if len(flat) <= limit else f"{flat[:half]} … {flat[-half:]}"


def note(spec: Spec) -> str:
    """What there is to say of a value besides its dtype and shape.

    >>> note(Spec(kind="tensor", type="torch.Tensor", shape=(), requires_grad=True, grad_fn="SumBackward0"))
    'grad_fn=SumBackward0'
    """
    return ", ".join(_NOTES.get(spec.kind, _tensor_note)(spec))


def _tensor_note(spec: Spec) -> list[str]:
    name = spec.type.rpartition(".")[2]
    # Without a shape, the name of the type is what stands in the row already.
    parts = [] if name == "Tensor" or spec.shape is None else [name]
    if spec.device not in (None, "cpu"):
        parts.append(str(spec.device))
    if spec.grad_fn is not None:
        parts.append(f"grad_fn={spec.grad_fn}")
    elif spec.requires_grad:
        parts += ["leaf", "requires_grad"] if spec.is_leaf else ["requires_grad"]
    return parts + [f"{trait.replace('_', ' ')} {value}" for trait, value in spec.traits]


def _module_note(spec: Spec) -> list[str]:
    parameters, trainable = int(spec.trait("parameters") or 0), int(spec.trait("trainable") or 0)
    counted = "over " if spec.trait("capped") else ""
    parts = [f"{counted}{parameters:,} parameters" if parameters != 1 else "1 parameter"]
    if parameters and trainable != parameters:
        parts.append(f"{trainable:,} trainable" if trainable else "none trainable")
    if spec.trait("dtypes"):
        parts.append(" and ".join(_short_dtypes(spec)))
    if spec.trait("uninitialized"):
        parts.append(f"{spec.trait('uninitialized')} uninitialized")
    return parts


def _short_dtypes(spec: Spec) -> Iterable[str]:
    for dtype in (spec.trait("dtypes") or "").split(", "):
        yield brief(Spec("array", "", (), None, dtype)).removesuffix("[]")


def _container_note(spec: Spec) -> list[str]:
    keyed = not all(key == str(index) for index, (key, _) in enumerate(spec.items))
    texts = [f"{shortened(key, 30)}: {_item_text(item)}" if keyed else _item_text(item) for key, item in spec.items]
    parts = []
    for text, run in groupby(texts):
        count = len(list(run))
        parts.append(text if count == 1 else f"{count} × {text}")
    if spec.trait("omitted"):
        parts.append(f"{int(spec.trait('omitted') or 0):,} more" if (spec.trait("omitted") or "").isdigit() else "…")
    return parts


def _item_text(item: Spec) -> str:
    if item.kind == "container":
        return f"{brief(item)} ({', '.join(_container_note(item))})"
    if item.kind == "module":
        return f"{brief(item)} ({', '.join(_module_note(item))})"
    return brief(item)


_NOTES = {"module": _module_note, "container": _container_note}
