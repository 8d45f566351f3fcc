"""Random signatures, bodies and calls, each run under jaxtyping with beartype and under the guard.

A case is text and plain data: whoever runs it builds its tensors anew, since bodies resize what they are given.
"""

# ruff: noqa: S311, S102  reproducible random choices, and functions made of text

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from beartype import beartype
from jaxtyping import Bool, Float, Float32, Int, Shaped, TypeCheckError, _decorator, _storage, jaxtyped
from torch import Tensor, nn

from shapeguard.enforcement import guard

NAMES = "abc"
DTYPES = {"Float": torch.float32, "Float32": torch.float32, "Int": torch.int64, "Bool": torch.bool}

LOG: list[Any] = []


@dataclass(frozen=True)
class Given:
    """A value that is made anew for each run."""

    kind: str
    shape: tuple[int, ...] = ()
    dtype: torch.dtype = torch.float32
    items: tuple["Given", ...] = ()

    def make(self) -> Any:
        match self.kind:
            case "tensor":
                return torch.zeros(self.shape, dtype=self.dtype)
            case "parameter":
                return nn.Parameter(torch.zeros(self.shape, dtype=self.dtype), requires_grad=False)
            case "subclass":
                return torch.zeros(self.shape, dtype=self.dtype).as_subclass(Subclass)
            case "none":
                return None
            case "int":
                return 3
            case "text":
                return "text"
            case _:
                return tuple(item.make() for item in self.items)


class Subclass(Tensor):
    pass


class Owner:
    """What `{self.n}` reads, which changes between calls and within them."""

    n = 2


# --- the world of a generated function


def see(value: Any = None, annotation: Any = None) -> bool:
    """Look at the bindings as a helper does, and bind by `isinstance`."""
    held = annotation is not None and isinstance(value, annotation)
    single, variadic, trees, arguments = _storage.get_shape_memo()
    shown = {name: type(argument).__name__ for name, argument in arguments.items()}
    LOG.append((held, dict(single), {n: (b, tuple(s)) for n, (b, s) in variadic.items()}, dict(trees), shown))
    return held


WORLD = {
    "Tensor": Tensor, "Float": Float, "Float32": Float32, "Int": Int, "Bool": Bool, "Shaped": Shaped, "Any": Any,
    "see": see, "torch": torch, "Given": Given,
}  # fmt: skip

BODIES = [
    "return made()",
    "return made()",
    "return made()",
    "see(); return made()",
    "see(given[-1], Float[Tensor, '... a']); return made()",
    "see(made(), Shaped[Tensor, 'q *w']); return made()",
    "see(torch.zeros(owner.n, owner.n), Shaped[Tensor, 'a c']); return made()",
    "see(torch.zeros(owner.n, 1), Shaped[Tensor, 'b a']); return made()",
    "resize(given); return made()",
    "resize(given); return made()",
    "swap(given); return made()",
    "return given[0]",
    "raise ZeroDivisionError",
    "made().reshape(7, 11); return made()",
    "again(); return made()",
    "see(given[0], Shaped[Tensor, '*z']); again(); see(); return made()",
    "owner.n += 1; return made()",
]


def resize(given: list[Any]) -> None:
    """Give the first tensor another shape: its owner's annotation may no longer fit."""
    for value in given:
        if isinstance(value, Tensor) and value.dim():
            value.resize_(value.shape[0] + 1, *value.shape[1:])
            return


def swap(given: list[Any]) -> None:
    """Give the first tensor another dtype, through `.data`."""
    for value in given:
        if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
            value.data = value.data.to(torch.float64 if value.dtype is not torch.float64 else torch.int64)
            return


# --- generation


@dataclass(frozen=True)
class Case:
    source: str
    parameters: tuple[tuple[str, str, str], ...]
    """Name, kind and annotation."""
    result: str


class Generator:
    """Draws cases and calls."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._plain = False
        """Whether only dims are drawn that the generated checks decide by themselves."""

    def case(self) -> Case:
        pick = self.random
        self._plain = pick.random() < 0.5
        kinds = sorted(
            pick.choices([0, 1, 1, 1, 2, 2, 4] if self._plain else [0, 1, 1, 1, 1, 2, 3, 4, 5], k=pick.randint(1, 4))
        )
        letters = iter("xyzw")
        parameters, seen = [], set()
        for kind in kinds:
            if kind in (3, 5) and kind in seen:
                continue
            seen.add(kind)
            annotation = self.annotation(simple=kind in (3, 5))
            parameters.append(
                (next(letters), ("only", "plain", "default", "star", "keyword", "stars")[kind], annotation)
            )
        result = pick.choice(["", "None", self.annotation(), self.annotation(), self.annotation(), self.annotation()])
        body = pick.choice(BODIES)
        if result == "None":
            body = body.replace("return made()", "return None")
        header = self._header(parameters)
        given = "".join(
            f"*{n}, " if k == "star" else f"*{n}.values(), " if k == "stars" else f"{n}, " for n, k, _ in parameters
        )
        arrow = f" -> {result}" if result else ""
        source = f"def function({header}){arrow}:\n    given = [{given}]\n    {body}\n"
        return Case(source, tuple(parameters), result)

    @staticmethod
    def _header(parameters: list[tuple[str, str, str]]) -> str:
        parts, starred = ["owner"], False
        kinds = [kind for _, kind, _ in parameters]
        for index, (name, kind, annotation) in enumerate(parameters):
            hint = f": {annotation}" if annotation else ""
            if kind == "keyword" and not starred:
                parts.append("*")
                starred = True
            starred |= kind == "star"
            mark = {"star": "*", "stars": "**"}.get(kind, "")
            default = " = None" if kind == "default" else ""
            parts.append(f"{mark}{name}{hint}{default}")
            if kind == "only" and "only" not in kinds[index + 1 :]:
                parts.append("/")
        return ", ".join(parts)

    def annotation(self, *, simple: bool = False) -> str:
        pick = self.random
        roll = 0.0 if simple else pick.random()
        if roll < 0.6:
            return self.array()
        if roll < 0.72:
            return f"{self.array()} | None"
        if roll < 0.80 and not self._plain:
            return f"{self.array()} | {self.array()}"
        if roll < 0.88:
            return f"tuple[{self.array()}, {self.array()}]"
        return pick.choice(["int", "", "Any", "Tensor", "int | None", "str | None"])

    def array(self) -> str:
        pick = self.random
        dtype = pick.choice(["Float", "Float", "Float", "Float32", "Int", "Shaped", "Bool"])
        dims = [self.dim() for _ in range(pick.choice([0, 1, 1, 2, 2, 3]))]
        if pick.random() < 0.2:
            variadic = "..." if self._plain else pick.choice(["...", "*s", "*s", "*#s"])
            dims.insert(pick.randint(0, len(dims)), variadic)
        return f'{dtype}[Tensor, "{" ".join(dims)}"]'

    def dim(self) -> str:
        if self._plain or self.random.random() < 0.75:
            return self.random.choice([*NAMES, *NAMES, *NAMES, "2", "3", "_", "_k"])
        return self.random.choice(["#a", "#b", "a+1", "2*b", "{owner.n}", "a-1+b", "min(a,b)", "#3", "b//2", "a/(b-1)"])

    # --- values that fit, mostly

    def sizes(self) -> dict[str, int]:
        return {name: self.random.choice([1, 2, 3]) for name in NAMES}

    def value(self, annotation: str, sizes: dict[str, int], batch: tuple[int, ...], fit: float) -> Given:
        pick = self.random
        if annotation.startswith("tuple"):
            parts = annotation[6:-1].split("], ")
            parts = [parts[0] + "]", parts[1]]
            items = tuple(self.value(part, sizes, batch, fit) for part in parts)
            return Given("tuple", items=items if pick.random() < 0.98 else items[:1])
        options = annotation.split(" | ")
        annotation = pick.choice(options)
        if annotation in ("int", "None", "str"):
            return Given({"int": "int", "None": "none", "str": "text"}[annotation] if pick.random() < fit else "text")
        if not annotation.startswith(tuple(f"{dtype}[" for dtype in (*DTYPES, "Shaped"))):
            return Given(pick.choice(["int", "none", "tensor", "tensor", "tensor"]), (2, 3))
        dtype = DTYPES.get(annotation.partition("[")[0], torch.float32)
        shape = self.shape(annotation.split('"')[1], sizes, batch)
        if pick.random() > fit:
            change = pick.random()
            if change < 0.5 and shape:
                at = pick.randrange(len(shape))
                shape = (*shape[:at], shape[at] + 1, *shape[at + 1 :])
            elif change < 0.7:
                shape = (*shape, 1)
            elif change < 0.9:
                dtype = pick.choice([torch.float64, torch.int64, torch.int32, torch.bool])
            else:
                return Given(pick.choice(["none", "int"]))
        kind = pick.choices(["tensor", "parameter", "subclass"], [90, 5, 5])[0]
        return Given(kind, shape, dtype)

    def shape(self, dims: str, sizes: dict[str, int], batch: tuple[int, ...]) -> tuple[int, ...]:
        shape: list[int] = []
        for dim in dims.split():
            if dim in ("...", "*s", "*#s"):
                shape.extend(batch)
            elif dim.startswith("_"):
                shape.append(self.random.randint(1, 3))
            elif dim == "{owner.n}":
                shape.append(Owner.n)
            elif dim.startswith("#") and self.random.random() < 0.3:
                shape.append(1)
            else:
                try:
                    shape.append(max(0, int(eval(dim.lstrip("#"), dict(sizes)))))  # noqa: S307
                except ZeroDivisionError:
                    shape.append(1)
        return tuple(shape)

    def call(self, case: Case) -> tuple[list[Given], dict[str, Given], Given, int]:
        """Positional arguments, keyword arguments, what the body makes, and what `owner.n` is."""
        sizes = self.sizes()
        batch = tuple(self.random.choices([1, 2, 3], k=self.random.randint(0, 2)))
        args: list[Given] = []
        kwargs: dict[str, Given] = {}
        for name, kind, annotation in case.parameters:
            value = self.value(annotation, sizes, batch, 0.98)
            if kind == "default" and self.random.random() < 0.4:
                continue
            if kind == "default" and self.random.random() < 0.1:
                value = Given("none")
            if kind == "only":
                args.append(value)
            elif kind == "star":
                if not kwargs:
                    args.extend(self.value(annotation, sizes, batch, 0.98) for _ in range(self.random.randint(0, 2)))
            elif kind == "stars":
                kwargs.update({f"k{i}": value for i in range(self.random.randint(0, 2))})
            elif kind == "keyword" or kwargs or self.random.random() < 0.25:
                kwargs[name] = value
            else:
                args.append(value)
        if self.random.random() < 0.01:
            args.append(Given("int"))
        made = self.value(case.result, sizes, batch, 0.98) if case.result not in ("", "None") else Given("none")
        return args, kwargs, made, self.random.choice([2, 2, 2, 3])


# --- running


class Subject:
    """One function under one checker."""

    def __init__(self, case: Case, decorate: Callable[[Any], Any]) -> None:
        self.made = Given("none")
        self.again: Callable[[], None] = lambda: None
        world = {
            **WORLD,
            "made": self._made,
            "again": self._again,
            "resize": resize,
            "swap": swap,
        }
        exec(case.source, world)
        self.function = decorate(world["function"])

    def _made(self) -> Any:
        return self.made.make()

    def _again(self) -> None:
        self.again()

    def run(self, args: list[Given], kwargs: dict[str, Given], made: Given, n: int, *, deep: bool = True) -> Any:
        """What the call does: its verdict, and all that was seen in its body."""
        self.made = made
        owner = Owner()
        owner.n = n
        LOG.clear() if deep else None
        if deep:
            # Once more from within, with the arguments in another order: recursion that may be rejected.
            self.again = lambda: LOG.append(self.run(args[::-1], kwargs, made, n, deep=False))
        else:
            self.again = lambda: None
        try:
            self.function(owner, *[one.make() for one in args], **{name: one.make() for name, one in kwargs.items()})
        except Exception as error:  # noqa: BLE001  whatever it raises is its verdict
            verdict = type(error).__name__
        else:
            verdict = "accepted"
        depth = len(getattr(_storage._shape_storage, "memo_stack", []))
        return (verdict, depth, *([list(LOG)] if deep else []))


def reference(function: Any) -> Any:
    return jaxtyped(typechecker=_beartype_without_text)(function)


def _beartype_without_text(stub: Any) -> Any:
    check = beartype(stub)
    hidden = getattr(check, "__kwdefaults__", None) or {}
    if "__beartype_get_violation" in hidden:
        check.__kwdefaults__ = {**hidden, "__beartype_get_violation": lambda *_, **__: TypeCheckError("")}
    return check


@contextmanager
def without_texts() -> Iterator[None]:
    """jaxtyping formats every argument of a rejected call, which takes milliseconds and changes no verdict."""

    def no_text(*_: Any, **__: Any) -> Any:
        raise TypeCheckError

    with (
        patch.object(_decorator, "_get_problem_arg", no_text),
        patch.object(_decorator, "_pformat", lambda *_, **__: ""),
    ):
        yield


def run(
    seed: int, calls: int, *, per_function: int = 100, decorate: Callable[[Any], Any] = guard
) -> tuple[int, list[str]]:
    """How many of `calls` were accepted, and each disagreement in words."""
    generator = Generator(seed)
    accepted, disagreements, done = 0, [], 0
    with without_texts():
        while done < calls:
            case = generator.case()
            theirs, ours = Subject(case, reference), Subject(case, decorate)
            pool = [generator.call(case) for _ in range(per_function // 5)]
            for _ in range(per_function):
                # Cold and warm: most calls have shapes that were seen before.
                call = generator.random.choice(pool)
                expected, got = theirs.run(*call), ours.run(*call)
                done += 1
                accepted += expected[0] == "accepted"
                if expected != got:
                    disagreements.append(f"{case.source}{call}\n  jaxtyping: {expected}\n  guard:     {got}")
                    break
    return accepted, disagreements
