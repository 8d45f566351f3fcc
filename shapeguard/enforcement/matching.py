"""Why a shape does not fit its dims: the checker's own order of steps, replayed over records, each name with its place."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from shapeguard.notation import (
    Dim,
    FixedDim,
    NamedDim,
    SymbolicDim,
    VariadicDim,
    dim_text,
    dims_text,
    evaluate,
    is_variadic,
    names_in,
)
from shapeguard.records import Conflict, Size, Spec

RESULT = "return"
"""The parameter name that stands for what the function returns."""


@dataclass(frozen=True, slots=True)
class Given:
    """One value that was checked, beside what its annotation asks for. Holds no value."""

    parameter: str
    """Name of the parameter, or RESULT."""
    label: str
    """How a message names it: `W`, `rest[1]`, `pair[0]`."""
    spec: Spec
    annotation: str
    """As written; empty where there is none."""
    dims: tuple[Dim, ...] | None = None
    """None where the annotation is no array annotation, or its dims cannot be read."""
    wrong: str | None = None
    """`type` or `dtype`, where the checker refuses the value whatever its shape."""
    admits: str = ""
    """What dtypes are admitted, in short: `Int admits int8 … int64`."""
    broken: str = ""
    """A contract of its annotation that the value does not keep, and what was found: `Leaf: it was made by AddBackward0`."""
    may_bind: frozenset[str] = frozenset()
    """Names that the checker may bind here; which of them cannot be told where there are no dims (a Union, a list)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a name got its size: an operand and one of its dims."""

    size: int
    operand: int
    dim: int


@dataclass(frozen=True, slots=True)
class Run:
    """Where a variadic name got its sizes: an operand and the dim at which they begin."""

    sizes: tuple[int, ...]
    operand: int
    dim: int
    broadcastable: bool
    merged: bool = False
    """Whether the sizes are what several operands broadcast to."""


@dataclass(slots=True)
class Bindings:
    """Name → size within one call, as far as the replay has come."""

    places: dict[str, Place] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    uncertain: set[str] = field(default_factory=set)
    """Names that something unreadable may have bound before the place that is noted here."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Name → size alone."""
        return {name: place.size for name, place in self.places.items()}


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why one value does not fit."""

    rule: str
    text: str
    """What stands after the colon of the first line."""
    operand: int
    conflicts: tuple[Conflict, ...]
    sources: tuple[int, ...] = ()
    """Operands that bound the names in question."""


def first_mismatch(givens: Sequence[Given]) -> Mismatch | None:
    """The first value that does not fit, in the order in which the checker takes them; None where all seem to fit.

    >>> from shapeguard.notation import parse_dims
    >>> def given(name, shape, dims):
    ...     return Given(name, name, Spec("tensor", "torch.Tensor", shape=shape), dims, parse_dims(dims))
    >>> first_mismatch([given("X", (32, 64), "b d"), given("W", (16, 64), "d e")]).text
    'dim 0 of W is 16, but d is 64, bound by X dim 1'
    """
    bindings = Bindings()
    for operand, given in enumerate(givens):
        mismatch = _Match(givens, operand, bindings).check()
        if mismatch is not None:
            return mismatch
        if given.dims is None or _known_sizes(given.spec.shape) is None:
            bindings.uncertain |= given.may_bind - bindings.places.keys() - bindings.runs.keys()
    return None


def broadcast(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape that two shapes broadcast to, or None.

    >>> broadcast((3, 1), (4,))
    (3, 4)
    """
    sizes = []
    for one, other in zip_longest(reversed(first), reversed(second), fillvalue=1):
        if one != other and 1 not in (one, other):
            return None
        sizes.append(other if one == 1 else one)
    return tuple(reversed(sizes))


class _Match:
    """One value against its annotation; binds its names where it fits."""

    def __init__(self, givens: Sequence[Given], operand: int, bindings: Bindings) -> None:
        self._givens = givens
        self._operand = operand
        self._given = givens[operand]
        self._bindings = bindings

    def check(self) -> Mismatch | None:
        given = self._given
        if given.wrong == "type":
            kind = given.spec.type.rpartition(".")[2]
            kind = given.spec.type if kind == given.annotation else kind
            kind = "None" if kind == "NoneType" else kind
            subject = "the type is" if given.parameter == given.label == RESULT else f"{given.label} is"
            return self._mismatch("type", f"{subject} {kind}, expected {given.annotation}", "value", kind)
        if given.wrong == "dtype":
            dtype = given.spec.dtype or "unknown"
            return self._mismatch("dtype", f"{self._of('dtype')} is {dtype}, {given.admits}", "dtype", dtype)
        sizes = _known_sizes(given.spec.shape)
        mismatch = None
        if given.dims is not None and sizes is not None:
            mismatch = self._check_ndim(given.dims, sizes) or self._check_sizes(given.dims, sizes)
        return mismatch or self._check_contract(given)

    def _check_contract(self, given: Given) -> Mismatch | None:
        if not given.broken:
            return None
        subject = "the result" if given.label == RESULT else given.label
        contract = given.broken.partition(":")[0]
        return self._mismatch("contract", f"{subject} is not {given.broken}", "value", contract)

    def _check_ndim(self, dims: tuple[Dim, ...], sizes: tuple[int, ...]) -> Mismatch | None:
        variadic = any(is_variadic(dim) for dim in dims)
        least = len(dims) - variadic
        if len(sizes) == least or (variadic and len(sizes) > least):
            return None
        expected = f"{least}{' or more' if variadic else ''}"
        text = f'{self._of("ndim")} is {len(sizes)}, expected {expected} ("{dims_text(dims)}")'
        return self._mismatch("ndim", text, "ndim", len(sizes))

    def _check_sizes(self, dims: tuple[Dim, ...], sizes: tuple[int, ...]) -> Mismatch | None:
        for position, dim in _single_dims(dims, len(sizes)):
            mismatch = self._check_dim(position, dim, sizes[position])
            if mismatch is not None:
                return mismatch
        for position, dim in enumerate(dims):
            if isinstance(dim, VariadicDim):
                stop = len(sizes) - (len(dims) - position - 1)
                mismatch = self._check_run(dim, position, sizes[position:stop])
                if mismatch is not None:
                    return mismatch
        return None

    def _check_dim(self, position: int, dim: Dim, size: int) -> Mismatch | None:
        """None also where the dim cannot be judged from outside the call."""
        if getattr(dim, "broadcastable", False) and size == 1:
            return None
        found = f"{self._of(f'dim {position}')} is {size}"
        match dim:
            case FixedDim(expected, _, broadcastable) if size != expected:
                wanted = dim_text(dim).removeprefix("#")
                text = f"{found}, expected {wanted}{' or 1' if broadcastable else ''}"
                return self._size(text, position, size, ())
            case NamedDim(name, broadcastable, per_leaf=False):
                place = self._bindings.places.setdefault(name, Place(size, self._operand, position))
                either = f"; #{name} admits that or 1" if broadcastable else ""
                text = f"{found}, but {self._told(name)}{either}"
                return None if size == place.size else self._size(text, position, size, (name,))
            case SymbolicDim(expression):
                return self._check_symbolic(position, expression, size, found)
        return None

    def _check_symbolic(self, position: int, expression: str, size: int, found: str) -> Mismatch | None:
        value = evaluate(expression, self._bindings.sizes)
        if value is None or value == size:
            return None
        names = tuple(name for name in names_in(expression) if name in self._bindings.places)
        told = f" ({'; '.join(self._told(name) for name in names)})" if names else ""
        number = int(value) if value == int(value) else value
        return self._size(f"{found}, but {expression} is {number}{told}", position, size, names)

    def _check_run(self, dim: VariadicDim, start: int, sizes: tuple[int, ...]) -> Mismatch | None:
        run = self._bindings.runs.get(dim.name)
        if dim.per_leaf:
            return None
        if run is None:
            self._bindings.runs[dim.name] = Run(sizes, self._operand, start, dim.broadcastable)
            return None
        if not (run.broadcastable or dim.broadcastable):
            return None if sizes == run.sizes else self._unequal_runs(dim, start, sizes, run)
        both = broadcast(sizes, run.sizes)
        fits = both is not None and (run.broadcastable or both == run.sizes) and (dim.broadcastable or both == sizes)
        if not fits or both is None:
            found = f"the dims of {self._given.label} for {dim_text(dim)} are {_shape(sizes)}"
            text = f"{found}, which does not broadcast with {_shape(run.sizes)}, {self._run_bound_by(dim.name, run)}"
            return self._mismatch("size", text, "size", _shape(sizes), (run.operand,))
        if run.broadcastable:
            self._bindings.runs[dim.name] = Run(both, self._operand, start, dim.broadcastable, merged=True)
        return None

    def _unequal_runs(self, dim: VariadicDim, start: int, sizes: tuple[int, ...], run: Run) -> Mismatch:
        if len(sizes) != len(run.sizes):
            text = (
                f"{self._of('ndim')} is {len(self._given.spec.shape or ())}, which leaves {_shape(sizes)} for "
                f"*{dim.name}, but *{dim.name} is {_shape(run.sizes)}, {self._run_bound_by(dim.name, run)}"
            )
            return self._mismatch("ndim", text, "ndim", len(self._given.spec.shape or ()), (run.operand,))
        offset = next(i for i, (one, other) in enumerate(zip(sizes, run.sizes, strict=True)) if one != other)
        place = Place(run.sizes[offset], run.operand, run.dim + offset)
        told = self._run_bound_by(dim.name, run) if run.merged else self._bound_by(dim.name, place)
        mine = Conflict(self._operand, start + offset, "size", sizes[offset])
        theirs = Conflict(place.operand, place.dim, "size", place.size)
        text = f"{self._of(f'dim {start + offset}')} is {sizes[offset]}, but *{dim.name} has {place.size} there, {told}"
        return Mismatch("guard-size", text, self._operand, (mine, theirs), (place.operand,))

    def _size(self, text: str, position: int, size: int, names: tuple[str, ...]) -> Mismatch:
        places = [self._bindings.places[name] for name in names]
        conflicts = (
            Conflict(self._operand, position, "size", size),
            *(Conflict(place.operand, place.dim, "size", place.size) for place in places),
        )
        return Mismatch("guard-size", text, self._operand, conflicts, tuple(place.operand for place in places))

    def _mismatch(self, rule: str, text: str, what: str, value: Size, sources: tuple[int, ...] = ()) -> Mismatch:
        conflict = Conflict(self._operand, None, what, value)
        return Mismatch(f"guard-{rule}", text, self._operand, (conflict,), sources)

    def _of(self, what: str) -> str:
        """`dim 0 of W`; of the function's own result just `dim 0`, since the line has named it."""
        return what if self._given.label == RESULT else f"{what} of {self._given.label}"

    def _told(self, name: str) -> str:
        place = self._bindings.places[name]
        return f"{name} is {place.size}, {self._bound_by(name, place)}"

    def _bound_by(self, name: str, place: Place) -> str:
        # Where an unreadable annotation came first, the noted place has the size, but may not be the one that bound it.
        verb = "as in" if name in self._bindings.uncertain else "bound by"
        return f"{verb} {self._givens[place.operand].label} dim {place.dim}"

    def _run_bound_by(self, name: str, run: Run) -> str:
        if run.merged:
            return "to which the arguments before it broadcast"
        verb = "as in" if name in self._bindings.uncertain else "bound by"
        last = run.dim + len(run.sizes) - 1
        label = self._givens[run.operand].label
        where = "" if not run.sizes else f" dim {run.dim}" if last == run.dim else f" dims {run.dim} to {last}"
        return f"{verb} {label}{where}"


def _known_sizes(shape: tuple[Size, ...] | None) -> tuple[int, ...] | None:
    if shape is None:
        return None
    sizes = tuple(size for size in shape if isinstance(size, int))
    return sizes if len(sizes) == len(shape) else None


def _single_dims(dims: tuple[Dim, ...], ndim: int) -> Iterator[tuple[int, Dim]]:
    """Each dim that takes one position, with that position: those before the variadic one, then those after it."""
    shift = 0
    for position, dim in enumerate(dims):
        if is_variadic(dim):
            shift = ndim - len(dims)
        else:
            yield position + shift, dim


def _shape(sizes: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, sizes))}]"
