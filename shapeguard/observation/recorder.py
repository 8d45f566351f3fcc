"""What the statements of one source bound, in the order in which they ran."""

import ast
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from time import perf_counter_ns
from types import CodeType
from typing import Any, NamedTuple

from shapeguard.observation.bindings import Binding, Target, bindings_of, simple_target
from shapeguard.observation.lines import LineWatch, watch_lines
from shapeguard.observation.readback import read_target
from shapeguard.records import Spec
from shapeguard.tensors import MISSING, describe, is_tensor_like, version


class Sighting(NamedTuple):
    """One value that was seen: where its target stands in the syntax tree, and what it was."""

    node: ast.expr
    role: str
    spec: Spec
    name: str | None = None
    """The name under which the shell keeps it (`Out[3]`); None: it is called as it is written."""


# The constructor of a NamedTuple is a Python function, which costs three times as much.
_new_sighting: Callable[[tuple[ast.expr, str, Spec, str | None]], Sighting] = partial(tuple.__new__, Sighting)


class Recorder:
    """Watches the top-level statements of one source run in one namespace; holds Specs, and no value of the user's.

    Call `begin` before each statement and `end` after the last; not thread-safe, one Recorder belongs to one run.
    """

    __slots__ = (
        "_before",
        "_bindings",
        "_namespace",
        "_open",
        "_results",
        "_simple",
        "_walrus",
        "_watch",
        "elapsed_ns",
        "sightings",
    )

    def __init__(self, namespace: Mapping[str, Any], *, walrus: bool = True) -> None:
        """Watch statements that run in `namespace`; `walrus=False` promises that no statement holds a `:=`."""
        self._namespace = namespace
        self._walrus = walrus
        self._open: ast.stmt | None = None
        self._simple: ast.Name | None = None
        """The target of the open statement, where it is a plain `name = expression`: then nothing else is prepared."""
        self._bindings: tuple[Binding, ...] = ()
        self._before: tuple[_Token | None, ...] = ()
        self._watch: LineWatch | None = None
        self._results: list[Sighting] = []
        self.sightings: list[Sighting] = []
        self.elapsed_ns = 0
        """What watching has cost so far."""

    def begin(self, statement: ast.stmt, code: CodeType | None = None) -> None:
        """A statement is about to run, and the one before it has completed."""
        # All that a cell of plain assignments goes through is in this one function: between two statements the
        # caches are cold, and each further function would cost more than its work.
        started = perf_counter_ns()
        simple = self._simple
        if simple is None or self._results:
            if self._open is not None:
                self._close(None)
        else:
            value = self._namespace.get(simple.id, MISSING)
            spec = describe(value)
            if spec.kind == "tensor" or (value is not MISSING and is_tensor_like(spec)):
                self.sightings.append(_new_sighting((simple, "binding", spec, None)))
        self._open = statement
        self._simple = None if self._walrus else simple_target(statement)
        if self._simple is None:
            self._prepare(bindings_of(statement), code)
        self.elapsed_ns += perf_counter_ns() - started

    def begin_opaque(self, statement: ast.stmt, body: list[ast.stmt]) -> None:
        """A call that runs `body` in the namespace by its own means is about to run (a cell magic)."""
        if self._open is not None:
            self._close(None)
        self._open = statement
        inner = (binding for part in body for binding in bindings_of(part))
        # Such a call may swallow what its body raises, so that only a new value proves that it was bound.
        self._prepare(tuple(replace(b, certain=False, line=None, doubtful=False) for b in inner), None)

    def end(self, raised_at: int | None = None) -> None:
        """The last statement has completed, or has raised at line `raised_at` (0 where that is not known)."""
        started = perf_counter_ns()
        if self._open is not None:
            self._close(raised_at)
        self.elapsed_ns += perf_counter_ns() - started

    def result(self, node: ast.expr, value: object, name: str | None = None) -> None:
        """The statement that is open displays `value`, which is then kept as `name`."""
        started = perf_counter_ns()
        spec = describe(value)
        if is_tensor_like(spec):
            # Kept until the statement closes: what it bound on the way comes first.
            self._results.append(Sighting(node, "result", spec, name))
        self.elapsed_ns += perf_counter_ns() - started

    def _prepare(self, bindings: tuple[Binding, ...], code: CodeType | None) -> None:
        self._bindings = bindings
        if all(binding.certain for binding in bindings) and not _may_half_run(self._open, bindings):
            return
        self._before = tuple(_token(_read_bound(i, bindings, self._namespace)[1]) for i in range(len(bindings)))
        lines = frozenset(_lines_of_interest(bindings))
        if code is not None and lines:
            self._watch = watch_lines(code, lines)
            self._watch.start()

    def _close(self, raised_at: int | None) -> None:
        simple = self._simple
        if simple is None:
            self._close_bindings(raised_at)
        else:
            self._open = self._simple = None
            value = self._namespace.get(simple.id, MISSING) if raised_at is None else MISSING
            if value is not MISSING:
                spec = describe(value)
                if spec.kind == "tensor" or is_tensor_like(spec):
                    self.sightings.append(_new_sighting((simple, "binding", spec, None)))
        if self._results:
            self.sightings += self._results
            self._results.clear()

    def _close_bindings(self, raised_at: int | None) -> None:
        bindings, before = self._bindings, self._before
        hits: set[int] | None = None
        complete = False
        if self._watch is not None:
            complete = self._watch.stop()
            hits = self._watch.hits
        self._open, self._bindings, self._before, self._watch = None, (), (), None
        proven = _proven_targets(bindings, hits)
        seen: dict[str, Sighting] = {}
        for index, binding in enumerate(bindings):
            shown, value = _read_bound(index, bindings, self._namespace)
            if value is MISSING:
                continue
            if raised_at is not None or not binding.certain:
                changed = bool(before) and _changed(before[index], value)
                if changed and not _is_seen(binding, hits):
                    changed = _can_only_be_bound_here(binding, before[index], value, proven, complete=complete)
                if not _ran(binding, changed=changed, hits=hits, complete=complete, raised_at=raised_at):
                    continue
            spec = describe(value)
            if is_tensor_like(spec):
                key = ast.unparse(shown) if not isinstance(shown, ast.Name) else shown.id
                # One statement binds a name last where it stands last; the values before that are gone.
                seen.pop(key, None)
                seen[key] = Sighting(shown, "binding", spec)
        self.sightings.extend(seen.values())


def _read_bound(index: int, bindings: tuple[Binding, ...], namespace: Mapping[str, Any]) -> tuple[Target, Any]:
    """What a binding's target holds, as far as the bindings beside it left its base and its keys as they were."""
    binding = bindings[index]
    if len(bindings) == 1 or isinstance(binding.target, ast.Name):
        return read_target(binding.target, namespace)
    names = {other.target.id for other in bindings if isinstance(other.target, ast.Name)}
    # A base that was bound before, and cannot be bound again, is the one that the target is a part of.
    later = bindings if binding.repeated else bindings[index + 1 :]
    rebound = {ast.unparse(other.target) for other in later if other is not binding}
    return read_target(binding.target, namespace, rebound=rebound, keys=names)


class _Token(NamedTuple):
    """What tells later whether a target still holds the same object, unchanged; keeps nothing alive."""

    identity: int
    reference: weakref.ref[Any] | None
    version: int | None


def _token(value: object) -> _Token | None:
    if value is MISSING:
        return None
    try:
        reference = weakref.ref(value)
    except TypeError:  # numbers, lists and dicts take no weak reference: their identity must do
        reference = None
    return _Token(id(value), reference, version(value))


def _changed(before: _Token | None, value: object) -> bool:
    return before is None or not _is_same(before, value) or before.version != version(value)


def _is_same(before: _Token, value: object) -> bool:
    if before.identity != id(value):
        return False
    return before.reference is None or before.reference() is value


def _is_seen(binding: Binding, hits: set[int] | None) -> bool:
    return hits is not None and binding.line in hits


def _proven_targets(bindings: tuple[Binding, ...], hits: set[int] | None) -> frozenset[str]:
    """The targets, as they are written, of which a binding was seen."""
    return frozenset(ast.unparse(binding.target) for binding in bindings if hits and _is_seen(binding, hits))


def _can_only_be_bound_here(
    binding: Binding, before: _Token | None, value: object, proven: frozenset[str], *, complete: bool
) -> bool:
    """Whether a change is the work of a binding that was not seen: not where anything else explains it as well."""
    if ast.unparse(binding.target) in proven:
        return False
    # Other code may change an object in place, and only this kind of statement puts another one in its place.
    if binding.optional and before is not None and _is_same(before, value):
        return False
    # A name gets another object from elsewhere only through `global` or `globals()`; that is rare, and a training
    # loop whose `loss` had no row would be worse. Items and attributes are set from everywhere.
    return complete or not binding.doubtful or isinstance(binding.target, ast.Name)


def _ran(binding: Binding, *, changed: bool, hits: set[int] | None, complete: bool, raised_at: int | None) -> bool:
    """Whether a target that may have been skipped was bound; in doubt, only a new value counts as proof.

    What changed in place without counting it, such as a NumPy array, is not proven to have changed.
    """
    if hits is None or binding.line is None:
        return changed
    if binding.line not in hits:
        return changed and not complete
    if raised_at is not None and binding.span[0] <= raised_at <= binding.span[1]:
        return changed
    if not binding.fragile or binding.next_line in hits:
        return True
    if binding.handlers and complete:
        return changed or not hits.intersection(binding.handlers)
    return changed


def _lines_of_interest(bindings: tuple[Binding, ...]) -> set[int]:
    lines: set[int] = set()
    for binding in bindings:
        lines.update(line for line in (binding.line, binding.next_line) if line is not None)
        lines.update(binding.handlers)
    return lines


def _may_half_run(statement: ast.stmt | None, bindings: tuple[Binding, ...]) -> bool:
    """Whether a statement that raises may have bound something before it did: not where binding is its last act."""
    last_act = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Import, ast.ImportFrom)
    return len(bindings) > 1 or (len(bindings) == 1 and not isinstance(statement, last_act))
