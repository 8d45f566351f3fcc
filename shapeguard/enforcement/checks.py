"""The lines that check one value and may only accept: a check that fails leaves its `while True` by `break`."""

from collections.abc import Iterable, Sequence
from typing import Any

from shapeguard.enforcement.hints import Array, Hint, Instance, Items, Maybe, Nothing
from shapeguard.notation import AnonymousVariadicDim, Dim, FixedDim, NamedDim

Bound = tuple[str, tuple[tuple[int, str], ...]]
"""A local that holds a shape, or None, and which of its dims bind which name."""

_SCALARS = (int, float, bool, str, complex, bytes)


class Checks:
    """Writes the checks of one function, and remembers what they bind."""

    def __init__(self) -> None:
        self.kinds: list[type] = []
        """Classes, by their number in the text."""
        self.dtypes: set[frozenset[Any]] = set()
        self.bound: list[Bound] = []
        """In the order in which jaxtyping binds."""
        self.same: list[str] = []
        """What says that an argument is still as it was checked: the body may have resized it."""
        self.held: list[str] = []
        """Locals that hold values of the call."""
        self.open: set[str] = set()
        """Locals of names that are bound only where an argument was given, or is not None."""
        self._dims: dict[str, str] = {}
        self._certain: set[str] = set()
        self._count = 0

    def check_argument(self, hint: Hint, name: str) -> list[str]:
        """Checks of an argument that every call passes."""
        lines, same = self._check(hint, name, certain=True)
        self.same += same
        return lines

    def check_optional_argument(self, hint: Hint, name: str) -> list[str]:
        """Checks of an argument that a call may omit: then it is neither checked nor bound."""
        lines, same = self._check_unless(f"_sg_type({name}) is _sg_Omitted", hint, name)
        self.same += same
        return lines

    def check_result(self, hint: Hint, name: str) -> list[str]:
        """Checks of what the body returned, with the names that the arguments bound."""
        bound, self.bound = self.bound, []
        lines, _ = self._check(hint, name, certain=True)
        self.bound = bound
        return lines

    def _check(self, hint: Hint, value: str, *, certain: bool) -> tuple[list[str], list[str]]:
        match hint:
            case Nothing():
                return [f"if {value} is not None: break"], []
            case Instance():
                return self._check_instance(hint, value)
            case Array():
                return self._check_array(hint, value, certain=certain)
            case Maybe(inner):
                return self._check_unless(f"{value} is None", inner, value)
            case Items(items):
                return self._check_items(items, value, certain=certain)
            case _:
                return [], []

    def _check_unless(self, absent: str, hint: Hint, value: str) -> tuple[list[str], list[str]]:
        start = len(self.bound)
        lines, same = self._check(hint, value, certain=False)
        # Of what was not checked nothing is bound.
        skipped = [f"    {shape} = None" for shape, _ in self.bound[start:]]
        given = absent.replace(" is ", " is not ")
        unchanged = [f"({absent} or {' and '.join(same)})"] if same else []
        alternative = ["else:", *skipped] if skipped else []
        return [f"if {given}:", *_indented(lines or ["pass"]), *alternative], unchanged

    def _check_instance(self, hint: Instance, value: str) -> tuple[list[str], list[str]]:
        if hint.kind in _SCALARS:
            return [f"if not _sg_isinstance({value}, _sg_{hint.kind.__name__}): break"], []
        kind = f"_sg.kinds[{len(self.kinds)}]"
        self.kinds.append(hint.kind)
        right = f"_sg_type({value}) is {kind}" if hint.by_type else f"_sg_isinstance({value}, {kind})"
        return [f"if not {right}: break"], [right]

    def _check_items(self, items: Sequence[Hint], value: str, *, certain: bool) -> tuple[list[str], list[str]]:
        names = [self._local("i") for _ in items]
        self.held += names
        lines = [
            f"if _sg_type({value}) is not _sg_tuple or _sg_len({value}) != {len(items)}: break",
            f"{', '.join(names)}, = {value}",
        ]
        same: list[str] = []
        for name, item in zip(names, items, strict=True):
            more, again = self._check(item, name, certain=certain)
            lines += more
            same += again
        return lines, same

    def _check_array(self, hint: Array, value: str, *, certain: bool) -> tuple[list[str], list[str]]:
        shape = self._local("s")
        if hint.library == "torch":
            # A subclass may override what is read here.
            lines = [
                f"if _sg_type({value}) is not _sg_Tensor and _sg_type({value}) is not _sg_Parameter: break",
            ]
        else:
            lines = [f"if _sg_type({value}) is not _sg_ndarray: break"]
        same = [f"{value}.shape == {shape}"]
        if hint.dtypes is not None:
            self.dtypes.add(hint.dtypes)
            dtype = self._local("e")
            of = "" if hint.library == "torch" else ".type"
            admitted = dtypes_name(hint.dtypes)
            # The usual dtype is compared first: a set is asked only for the others.
            usual = _usual(hint.dtypes)
            first = f"{dtype} is not _sg_{usual} and " if usual else ""
            lines += [f"{dtype} = {value}.dtype", f"if {first}{dtype}{of} not in {admitted}: break"]
            same.append(f"{value}.dtype is {dtype}")
        lines.append(f"{shape} = {value}.shape")
        lines += self._check_dims(hint.dims, shape, certain=certain)
        return lines, same

    # --- dims

    def _check_dims(self, dims: Sequence[Dim], shape: str, *, certain: bool) -> list[str]:
        variadic = next((i for i, dim in enumerate(dims) if isinstance(dim, AnonymousVariadicDim)), None)
        positions = [i if variadic is None or i < variadic else i - len(dims) for i in range(len(dims))]
        single = [
            (at, dim) for at, dim in zip(positions, dims, strict=True) if not isinstance(dim, AnonymousVariadicDim)
        ]
        self.bound.append((shape, tuple((at, dim.name) for at, dim in single if isinstance(dim, NamedDim))))
        if variadic is None and all(self._is_known(dim) for dim in dims):
            return [f"if {shape} != ({''.join(f'{self._size(dim)}, ' for dim in dims)}): break"]
        if variadic is None:
            # A shape of another length does not unpack, which is caught as a ValueError.
            sizes = [self._new_name(dim, certain=certain) or self._local("n") for _, dim in single]
            lines = [f"{', '.join(sizes)}, = {shape}"]
        else:
            sizes = [f"{shape}[{at}]" for at, _ in single]
            lines = [f"if _sg_len({shape}) < {len(single)}: break"]
        for size, (_, dim) in zip(sizes, single, strict=True):
            lines += self._check_dim(dim, size, certain=certain)
        return lines

    def _new_name(self, dim: Dim, *, certain: bool) -> str | None:
        """The local of a name that is bound here and nowhere before, which can then be assigned at once."""
        if not certain or not isinstance(dim, NamedDim) or dim.name in self._dims:
            return None
        self._certain.add(dim.name)
        return self._dims.setdefault(dim.name, f"_sg_d{len(self._dims)}")

    def _is_known(self, dim: Dim) -> bool:
        return isinstance(dim, FixedDim) or (isinstance(dim, NamedDim) and dim.name in self._certain)

    def _size(self, dim: Dim) -> str:
        return str(dim.size) if isinstance(dim, FixedDim) else self._dims[dim.name] if isinstance(dim, NamedDim) else ""

    def _check_dim(self, dim: Dim, size: str, *, certain: bool) -> list[str]:
        if isinstance(dim, NamedDim) and dim.name not in self._certain:
            return self._bind(dim.name, size, certain=certain)
        known = self._is_known(dim) and size != self._size(dim)
        return [f"if {size} != {self._size(dim)}: break"] if known else []

    def _bind(self, name: str, size: str, *, certain: bool) -> list[str]:
        known = name in self._dims
        local = self._dims.setdefault(name, f"_sg_d{len(self._dims)}")
        if certain:
            self._certain.add(name)
        else:
            self.open.add(local)
        if not known and certain:
            return [f"{local} = {size}"]
        return [f"if {local} is None: {local} = {size}", f"elif {local} != {size}: break"]

    # --- names

    def _local(self, letter: str) -> str:
        self._count += 1
        return f"_sg_{letter}{self._count}"


USUAL_DTYPES = ("float32", "int64", "bool")


def _usual(dtypes: frozenset[Any]) -> str | None:
    names = {str(dtype) for dtype in dtypes}
    return next((f"torch_{usual}" for usual in USUAL_DTYPES if f"torch.{usual}" in names), None)


def dtypes_name(dtypes: frozenset[Any]) -> str:
    """The global that holds a set of dtypes: the same for the same set, in whatever order functions are guarded.

    >>> dtypes_name(frozenset({int, float}))
    '_sg_of_builtins_float_builtins_int'
    """
    words = sorted(f"{one.__module__}.{one.__name__}" if isinstance(one, type) else str(one) for one in dtypes)
    return f"_sg_of_{'_'.join(words).replace('.', '_')}"


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]
