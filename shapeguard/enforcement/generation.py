"""The text of a guarded function: straight-line checks that may only accept, around one call of the user's function.

The parameters are the user's own. A last, hidden one holds the Plan as its default: `%autoreload` carries code and
defaults over to the old function, but not what it closes over. Every name of ours begins with `_sg`.
"""

import inspect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shapeguard.enforcement.checks import Bound, Checks, dtypes_name
from shapeguard.enforcement.hints import Anything, Array, Hint, Maybe, Opaque, read_hint
from shapeguard.enforcement.keys import is_pure
from shapeguard.enforcement.memo import OWNER
from shapeguard.enforcement.traced import traced_dims

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Text:
    """A generated function, and what its text refers to."""

    source: str
    kinds: tuple[type, ...] = ()
    dtypes: frozenset[frozenset[Any]] = frozenset()
    bound: tuple[Bound, ...] = ()
    keyed: tuple[str, ...] = ()
    """Parameters whose values make the key under which verdicts are remembered."""
    complete: bool = False
    """Whether every annotation is one that the text can check."""


def is_usual(signature: inspect.Signature) -> bool:
    """Whether a function of this signature can be written out: none of its parameters has one of our names."""
    return not any(name.startswith(OWNER) or not name.isidentifier() for name in signature.parameters)


def generate_passing(shown: str) -> Text:
    """The text for a callable whose own parameters are not those of its signature: the checkers judge every call."""
    lines = [
        f"def guarded(*_sg_args, {OWNER}, **_sg_kwargs):",
        *_switches(f"{shown}() got an unexpected keyword argument '{OWNER}'", "*_sg_args, **_sg_kwargs"),
        "    if _sg_compiling():",
        "        return _sg.function(*_sg_args, **_sg_kwargs)",
        *_judged("judge_passing(_sg_args, _sg_kwargs)", ["_sg_args", "_sg_kwargs"]),
    ]
    return Text("\n".join(lines) + "\n")


def generate(signature: inspect.Signature, shown: str) -> Text:
    """The text for a function of this signature, its annotations resolved; `shown` is its name in messages."""
    return _Writer(signature, shown).write()


def _switches(refusal: str, call: str) -> Iterator[str]:
    yield "    __tracebackhide__ = True"
    yield "    if _sg.__class__ is not _sg_Plan:"
    yield f"        raise TypeError({refusal!r})"
    yield (
        "    if _sg_jaxtyping.config.jaxtyping_disable or _sg_settings.settings.guard != 'on' "
        "or _sg.marks['__no_type_check__']:"
    )
    yield f"        return _sg.function({call})"


def _judged(verdict: str, held: Sequence[str]) -> Iterator[str]:
    yield "    try:"
    yield f"        return _sg.{verdict}"
    yield from _failing()
    yield from _raising(held)


def _failing() -> Iterator[str]:
    yield "    except Exception as _sg_failure:"
    yield "        _sg_error = _sg.settle(_sg_failure)"
    yield "        if _sg_error is None:"
    yield "            raise"


def _raising(held: Sequence[str]) -> Iterator[str]:
    # What a traceback keeps alive is what its frames hold.
    yield f"    {' = '.join(held)} = None"
    yield "    try:"
    yield "        raise _sg_error from None"
    yield "    finally:"
    yield "        del _sg_error"


class _Writer:
    def __init__(self, signature: inspect.Signature, shown: str) -> None:
        self._parameters = list(signature.parameters.values())
        self._returns = signature.return_annotation is not inspect.Signature.empty
        self._result = read_hint(signature.return_annotation)
        self._is_result_pure = is_pure(signature.return_annotation)
        self._shown = shown
        self._hints = [_hint_of(parameter) for parameter in self._parameters]
        self._checks = Checks()

    def write(self) -> Text:
        plain = not any(isinstance(hint, Opaque) for hint in self._hints)
        complete = plain and not isinstance(self._result, Opaque)
        pure = all(is_pure(parameter.annotation) for parameter in self._parameters)
        keyed = pure and not complete and not (plain and not self._is_result_pure)
        covered = self._covered() if plain and not keyed else self._remembered() if keyed else ()
        key = ", _sg_key" if keyed else ""
        lines = [
            f"def guarded({self._header()}):",
            *_switches(self._refusal(), self._call()),
            "    if _sg_compiling():",
            *self._traced(),
            *covered,
            *_judged(f"judge({self._tuple()}{key})", self._names()),
        ]
        checks = self._checks
        source = "\n".join(lines) + "\n"
        names = tuple(self._keyed()) if keyed else ()
        return Text(source, tuple(checks.kinds), frozenset(checks.dtypes), tuple(checks.bound), names, complete)

    # --- parameters and calls

    def _names(self) -> list[str]:
        return [parameter.name for parameter in self._parameters]

    def _header(self) -> str:
        kinds = [parameter.kind for parameter in self._parameters]
        starred = inspect.Parameter.VAR_POSITIONAL in kinds
        parts: list[str] = []
        for index, parameter in enumerate(self._parameters):
            if not starred and parameter.kind > parameter.VAR_POSITIONAL and OWNER not in parts:
                parts += [OWNER, "*"] if parameter.kind is parameter.KEYWORD_ONLY else [OWNER]
            parts.append(f"{_stars(parameter)}{parameter.name}")
            if parameter.kind is parameter.VAR_POSITIONAL:
                parts.append(OWNER)
            if parameter.kind is parameter.POSITIONAL_ONLY and kinds[index + 1 : index + 2] != [parameter.kind]:
                parts.append("/")
        return ", ".join(parts if OWNER in parts else [*parts, OWNER])

    def _refusal(self) -> str:
        if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in self._parameters):
            return f"{self._shown}() got an unexpected keyword argument '{OWNER}'"
        count = len(self._positional())
        return f"{self._shown}() takes {count} positional argument{'s' * (count != 1)} but {count + 1} were given"

    def _positional(self) -> list[inspect.Parameter]:
        return [parameter for parameter in self._parameters if parameter.kind < parameter.VAR_POSITIONAL]

    def _call(self) -> str:
        parts = []
        for index, parameter in enumerate(self._parameters):
            value = parameter.name if parameter.default is parameter.empty else self._or_default(index)
            keyword = f"{value}=" if parameter.kind is parameter.KEYWORD_ONLY else ""
            keyword = f"{parameter.name}=" if keyword else ""
            parts.append(f"{keyword}{_stars(parameter)}{value}")
        return ", ".join(parts)

    def _or_default(self, index: int) -> str:
        # Read from the function itself at each call: its defaults can be changed.
        parameter = self._parameters[index]
        if parameter.kind is parameter.KEYWORD_ONLY:
            default = f"_sg.function.__kwdefaults__[{parameter.name!r}]"
        else:
            default = f"_sg.function.__defaults__[{index - len(self._positional())}]"
        return f"({default} if _sg_type({parameter.name}) is _sg_Omitted else {parameter.name})"

    def _tuple(self) -> str:
        return "(" + "".join(f"{name}, " for name in self._names()) + ")"

    # --- the covered call

    def _covered(self) -> Iterator[str]:
        entry, leaving = list(self._entry()), list(self._leaving())
        yield from (f"    {local} = None" for local in sorted(self._checks.open))
        yield "    while True:"
        if entry:
            yield from _deeper(_guarded(entry), 2)
        yield from self._called("_sg")
        yield from _deeper(leaving, 2)
        if self._returns:
            yield from self._left(self._checks.held)

    def _called(self, stand_in: str) -> Iterator[str]:
        """The user's function runs while `stand_in` is on jaxtyping's stack."""
        yield "        try:"
        yield "            _sg_stack = _sg_storage._shape_storage.memo_stack"
        yield "        except AttributeError:"
        yield "            _sg_stack = _sg_new_stack()"
        yield f"        _sg_stack.append({stand_in})"
        yield "        try:"
        yield f"            _sg_out = _sg.function({self._call()})"
        yield "        except BaseException as _sg_failure:"
        yield "            _sg.abandon(_sg_stack, _sg_failure)"
        yield "            raise"
        yield "        _sg_top = _sg_stack.pop()"

    def _left(self, held: Sequence[str], learnt: str = "") -> Iterator[str]:
        """What the fast checks did not accept at exit, the checkers judge."""
        yield "        try:"
        yield f"            _sg.leave(_sg_stack, _sg_top, *_sg.as_call({self._tuple()}), _sg_out)"
        if learnt:
            yield f"            {learnt}"
        yield "            return _sg_out"
        yield from _deeper(_failing(), 1)
        yield from _deeper(_raising([*self._names(), *held, "_sg_out", "_sg_top"]), 1)

    # --- the call that is remembered

    def _remembered(self) -> Iterator[str]:
        keys = "".join(f"{_key(name)}, " for name in self._keyed())
        yield "    try:"
        yield f"        _sg_key = ({keys})"
        yield "        _sg_hit = _sg.cache.get(_sg_key)"
        # A symbolic size cannot be hashed, and a nested tensor has no shape.
        yield "    except Exception:"
        yield "        _sg_key, _sg_hit = _sg_UNKEYED, None"
        yield "    if _sg_hit is not None:"
        yield from self._called("_sg_hit")
        if not self._returns:
            yield "        return _sg_out"
            return
        learnt = ""
        if self._is_result_pure:
            # Keys again: the body may have resized what it was given.
            yield "        try:"
            yield f"            _sg_key = ({keys}{_key('_sg_out')}, )"
            yield "            if _sg_top is _sg_hit and _sg_key in _sg_hit.exits:"
            yield "                return _sg_out"
            yield "        except Exception:"
            yield "            _sg_key = _sg_UNKEYED"
            learnt = "if _sg_top is _sg_hit: _sg_hit.confirm(_sg_key)"
        yield from self._left((), learnt)

    def _keyed(self) -> list[str]:
        return [one.name for one in self._parameters if not isinstance(read_hint(one.annotation), Anything)]

    def _entry(self) -> Iterator[str]:
        for parameter, hint in zip(self._parameters, self._hints, strict=True):
            if isinstance(hint, Anything):
                continue
            if parameter.default is parameter.empty:
                yield from self._checks.check_argument(hint, parameter.name)
            else:
                yield from self._checks.check_optional_argument(hint, parameter.name)

    def _leaving(self) -> Iterator[str]:
        if not self._returns:
            yield "return _sg_out"
        elif not isinstance(self._result, Opaque):
            unchanged = " and ".join(["_sg_top is _sg", *self._checks.same])
            yield "while True:"
            yield from _deeper(_guarded([f"if not ({unchanged}): break", *self._result_checks()]), 1)
            yield "    return _sg_out"

    def _result_checks(self) -> list[str]:
        return self._checks.check_result(self._result, "_sg_out")

    # --- under torch.compile

    def _traced(self) -> Iterator[str]:
        arguments = list(zip(self._parameters, self._hints, strict=True))
        checks: list[str] = []
        for parameter, hint in arguments:
            lines = list(self._trace(hint, parameter.name, parameter.name))
            if lines and parameter.default is not parameter.empty:
                lines = [f"if _sg_type({parameter.name}) is not _sg_Omitted:", *_deeper(lines, 1)]
            checks += lines
        result = list(self._trace(self._result, "_sg_out", None)) if self._returns else []
        if checks or result:
            yield "        _sg_sizes = {}"
        yield from _deeper(checks, 2)
        if not result:
            yield f"        return _sg.function({self._call()})"
            return
        yield f"        _sg_out = _sg.function({self._call()})"
        yield from _deeper(result, 2)
        yield "        return _sg_out"

    def _trace(self, hint: Hint, value: str, label: str | None) -> Iterator[str]:
        array = hint.inner if isinstance(hint, Maybe) else hint
        if not isinstance(array, Array) or array.library != "torch":
            return
        subject = f"{self._shown}({label})" if label else f"return of {self._shown}()"
        admitted = None if array.dtypes is None else dtypes_name(array.dtypes)
        self._checks.dtypes |= {array.dtypes} if array.dtypes is not None else set()
        yield f"_sg_trace({subject!r}, {label!r}, {value}, {admitted}, {traced_dims(array)!r}, _sg_sizes)"


def _key(value: str) -> str:
    array = f"(_sg_type({value}), {value}.shape, {value}.dtype)"
    return f"{array} if _sg_type({value}) in _sg_arrays else _sg_key_of({value})"


def _guarded(checks: Iterable[str]) -> Iterator[str]:
    """A shape with another number of dims does not unpack, and a nested tensor has no shape: the checkers judge."""
    yield "try:"
    yield from _deeper(checks, 1)
    yield "except Exception:"
    yield "    break"


def _hint_of(parameter: inspect.Parameter) -> Hint:
    hint = read_hint(parameter.annotation)
    return Opaque() if parameter.kind in _VARIADIC and not isinstance(hint, Anything) else hint


def _stars(parameter: inspect.Parameter) -> str:
    if parameter.kind is parameter.VAR_POSITIONAL:
        return "*"
    return "**" if parameter.kind is parameter.VAR_KEYWORD else ""


def _deeper(lines: Iterable[str], levels: int) -> Iterator[str]:
    return (f"{'    ' * levels}{line}" for line in lines)
