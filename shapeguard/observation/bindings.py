"""What a statement binds, from its syntax tree alone."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

Target: TypeAlias = ast.Name | ast.Attribute | ast.Subscript


@dataclass(frozen=True, slots=True)
class Binding:
    """One target, and what proves that it was bound when the top-level statement around it has run."""

    target: Target
    certain: bool = True
    """Whether it is bound whenever the top-level statement completes."""
    line: int | None = None
    """The line that starts its own statement, if no other code starts there: seen running, it began."""
    fragile: bool = False
    """Whether an exception in its own statement may be swallowed (by `except`, or by a context manager)."""
    next_line: int | None = None
    """The line of the statement after it in the same block: seen running, this one completed."""
    handlers: tuple[int, ...] = ()
    """Where the `except` blocks begin that could have swallowed it; none of them seen running, it completed."""
    span: tuple[int, int] = (0, 0)
    """First and last line of its own statement."""
    repeated: bool = False
    """Whether it stands in the body of a loop, where what comes after it may run before it."""
    optional: bool = False
    """Whether it stands in a branch or a loop, so that the statement around it completes without it."""
    doubtful: bool = False
    """Whether it stands in a branch within a loop: the other ways through the loop may have done what it would do."""


def simple_target(statement: ast.stmt) -> ast.Name | None:
    """The name of a plain `name = expression`, the statement that nearly every cell consists of; else None."""
    if type(statement) is ast.Assign and len(statement.targets) == 1:
        target = statement.targets[0]
        if type(target) is ast.Name:
            return target
    return None


def bindings_of(statement: ast.stmt) -> tuple[Binding, ...]:
    """Every name, attribute and item that one top-level statement may bind, in the order of the source.

    >>> [ast.unparse(b.target) for b in bindings_of(ast.parse("a, (b, *c) = d.e = f()").body[0])]
    ['a', 'b', 'c', 'd.e']
    """
    return tuple(_of_statement(statement, _Place()))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a statement stands: what its enclosing blocks say about the bindings in it."""

    certain: bool = True
    line: int | None = None
    fragile: bool = False
    next_line: int | None = None
    handlers: tuple[int, ...] = ()
    repeated: bool = False
    optional: bool = False
    doubtful: bool = False

    def binding(self, target: Target, statement: ast.AST, *, certain: bool = True) -> Binding:
        span = (getattr(statement, "lineno", 0), getattr(statement, "end_lineno", 0) or 0)
        proof = self.line if certain else None
        return Binding(
            target,
            self.certain and certain,
            proof,
            self.fragile,
            self.next_line,
            self.handlers,
            span,
            self.repeated,
            self.optional or not certain,
            self.doubtful or (self.repeated and not certain),
        )


def _of_statement(node: ast.stmt, place: _Place) -> Iterator[Binding]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield from _of_definition(node, place)
        case ast.Assign():
            yield from _walruses(node.value, node, place)
            for target in node.targets:
                yield from _of_target(target, node, place)
        case ast.AugAssign():
            yield from _walruses(node.value, node, place)
            yield from _of_target(node.target, node, place)
        case ast.AnnAssign():
            if node.value is not None:
                yield from _walruses(node.value, node, place)
                yield from _of_target(node.target, node, place)
        case ast.Import() | ast.ImportFrom():
            yield from _of_import(node, place)
        case ast.For() | ast.AsyncFor() | ast.While() | ast.If() | ast.With() | ast.AsyncWith() | ast.Match():
            yield from _of_compound(node, place)
        case ast.Try() | ast.TryStar():
            yield from _of_try(node, place)
        case _:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    # The message of an assert is evaluated only where it fails.
                    conditional = isinstance(node, ast.Assert) and child is node.msg
                    yield from _walruses(child, node, place, certain=not conditional)


def _of_definition(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, place: _Place) -> Iterator[Binding]:
    """The body has a scope of its own; decorators, default values, bases and keywords are evaluated around it."""
    inputs = (
        [*node.bases, *(keyword.value for keyword in node.keywords)]
        if isinstance(node, ast.ClassDef)
        else _defaults(node.args)
    )
    for part in (*node.decorator_list, *inputs):
        yield from _walruses(part, node, place)


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *(default for default in arguments.kw_defaults if default is not None)]


def _of_import(node: ast.Import | ast.ImportFrom, place: _Place) -> Iterator[Binding]:
    for alias in node.names:
        if alias.name == "*":
            continue
        name = alias.asname or alias.name.partition(".")[0]
        # The name as written stands at the end of `m as name`, at the start of `m.n`.
        column = (
            alias.end_col_offset - len(name.encode()) if alias.asname and alias.end_col_offset else alias.col_offset
        )
        yield place.binding(_name_at(name, alias.lineno, column), node)


def _name_at(name: str, line: int, column: int) -> ast.Name:
    return ast.Name(
        name, ast.Store(), lineno=line, col_offset=column, end_lineno=line, end_col_offset=column + len(name.encode())
    )


def _of_target(target: ast.expr, statement: ast.stmt, place: _Place) -> Iterator[Binding]:
    match target:
        case ast.Name():
            yield place.binding(target, statement)
        case ast.Attribute():
            yield from _walruses(target.value, statement, place)
            yield place.binding(target, statement)
        case ast.Subscript():
            yield from _walruses(target.value, statement, place)
            yield from _walruses(target.slice, statement, place)
            yield place.binding(target, statement)
        case ast.Starred():
            yield from _of_target(target.value, statement, place)
        case ast.Tuple() | ast.List():
            for element in target.elts:
                yield from _of_target(element, statement, place)


Compound: TypeAlias = ast.For | ast.AsyncFor | ast.While | ast.If | ast.With | ast.AsyncWith | ast.Match


def _of_compound(node: Compound, place: _Place) -> Iterator[Binding]:
    match node:
        case ast.If():
            yield from _walruses(node.test, node, place)
            yield from _of_block(node.body, _end(node.test), place, conditional=True)
            yield from _of_block(node.orelse, _end(node.body[-1]), place, conditional=True)
        case ast.While():
            yield from _walruses(node.test, node, replace(place, repeated=True))
            yield from _of_block(node.body, _end(node.test), place, conditional=True, loop=True)
            yield from _of_block(node.orelse, _end(node.body[-1]), place, conditional=True)
        case ast.For() | ast.AsyncFor():
            yield from _walruses(node.iter, node, place)
            yield from _of_for_target(node, place)
            yield from _of_block(node.body, _end(node.iter), place, conditional=True, loop=True)
            yield from _of_block(node.orelse, _end(node.body[-1]), place, conditional=True)
        case ast.With() | ast.AsyncWith():
            header = node.items[-1].optional_vars or node.items[-1].context_expr
            # What a later item raises the first may swallow: that they were bound the first line of the body shows.
            first = _first_lines(node.body, _end(header))[0]
            later = replace(place, certain=False, line=first, fragile=False, next_line=None, handlers=())
            for index, item in enumerate(node.items):
                here = later if index else place
                yield from _walruses(item.context_expr, node, here)
                if item.optional_vars is not None:
                    yield from _of_target(item.optional_vars, node, here)
            yield from _of_block(node.body, _end(header), place, conditional=True, fragile=True)
        case ast.Match():
            yield from _walruses(node.subject, node, place)
            for case in node.cases:
                yield from _of_captures(case, node, place)
                yield from _walruses(case.guard, node, place, certain=False)
                yield from _of_block(case.body, _end(case.guard or case.pattern), place, conditional=True)


def _of_for_target(node: ast.For | ast.AsyncFor, place: _Place) -> Iterator[Binding]:
    """The target of a loop is bound if the loop ran at all, which the first line of its body shows."""
    first = _first_lines(node.body, _end(node.iter))[0]
    inner = _Place(certain=False, line=first, repeated=True, optional=True, doubtful=place.repeated)
    yield from _of_target(node.target, node, inner)


def _of_captures(case: ast.match_case, node: ast.Match, place: _Place) -> Iterator[Binding]:
    first = _first_lines(case.body, _end(case.guard or case.pattern))[0]
    inner = _Place(certain=False, line=first, repeated=place.repeated, optional=True, doubtful=place.repeated)
    names = []
    for pattern in ast.walk(case.pattern):
        name = pattern.rest if isinstance(pattern, ast.MatchMapping) else getattr(pattern, "name", None)
        if isinstance(name, str) and isinstance(pattern, ast.pattern):
            # `case … as name`, `case name`, `*name`: the name ends where the pattern does.
            column = pattern.end_col_offset - len(name.encode()) - isinstance(pattern, ast.MatchMapping)
            names.append(_name_at(name, pattern.end_lineno, column))
    for target in sorted(names, key=lambda target: (target.lineno, target.col_offset)):
        yield inner.binding(target, node)


def _of_try(node: ast.Try | ast.TryStar, place: _Place) -> Iterator[Binding]:
    lines = []
    for handler in node.handlers:
        header = _end(handler.type) if handler.type is not None else handler.lineno
        lines.append(_first_lines(handler.body, header)[0])
    # A `break` or `continue` in `finally` swallows what is raised as well.
    caught = bool(node.handlers) or _may_leave(node.finalbody)
    known = tuple(line for line in lines if line is not None)
    # Where a handler shares its line with its header, not seeing it proves nothing.
    handlers = known if len(known) == len(lines) else ()
    yield from _of_block(node.body, node.lineno, place, conditional=caught, fragile=caught, handlers=handlers)
    previous = _end(node.body[-1])
    for handler in node.handlers:
        header = _end(handler.type) if handler.type is not None else handler.lineno
        yield from _of_block(handler.body, max(header, previous), place, conditional=True)
        previous = _end(handler.body[-1])
    yield from _of_block(node.orelse, previous, place, conditional=caught)
    if node.finalbody:
        yield from _of_block(node.finalbody, _end((node.orelse or node.body)[-1]), place, conditional=False)


def _may_leave(block: list[ast.stmt]) -> bool:
    return any(isinstance(part, (ast.Break, ast.Continue)) for statement in block for part in ast.walk(statement))


def _of_block(  # noqa: PLR0913  what a block adds to its place is exactly this
    block: list[ast.stmt],
    header_end: int,
    place: _Place,
    *,
    conditional: bool,
    fragile: bool = False,
    handlers: tuple[int, ...] = (),
    loop: bool = False,
) -> Iterator[Binding]:
    lines = _first_lines(block, header_end)
    for index, statement in enumerate(block):
        following = lines[index + 1] if index + 1 < len(block) else None
        inner = _Place(
            certain=place.certain and not conditional,
            line=lines[index],
            fragile=place.fragile or fragile,
            next_line=following,
            handlers=handlers if not place.fragile else (),
            repeated=place.repeated or loop,
            # The block of a `with` or `try` is entered whenever the statement is: it can only be left early.
            optional=place.optional or (conditional and not fragile),
            doubtful=place.doubtful or (place.repeated and conditional and not fragile),
        )
        yield from _of_statement(statement, inner)


def _first_lines(block: list[ast.stmt], header_end: int) -> list[int | None]:
    """For each statement the line that starts it, or None where other code of the same statement stands there too."""
    lines: list[int | None] = []
    previous = header_end
    for statement in block:
        lines.append(statement.lineno if statement.lineno > previous and _runs_its_first_line(statement) else None)
        previous = _end(statement)
    return lines


def _runs_its_first_line(statement: ast.stmt) -> bool:
    """Whether running the statement shows on its first line: not where that holds only a `(`, or nothing to run."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return True
    parts = [*_expressions(statement), *(item.context_expr for item in getattr(statement, "items", ()))]
    first = min((part.lineno for part in parts), default=statement.lineno)
    return first <= statement.lineno and not isinstance(statement, ast.Global)


def _end(node: ast.AST) -> int:
    line: int | None = getattr(node, "end_lineno", None)
    return getattr(node, "lineno", 0) if line is None else line


def _walruses(node: ast.expr | None, statement: ast.stmt, place: _Place, *, certain: bool = True) -> Iterator[Binding]:
    """Names bound by `:=`; conditional where an `and`, an `or`, a ternary, a chain or a comprehension may skip them."""
    if node is None:
        return
    if isinstance(node, ast.Lambda):
        for default in _defaults(node.args):
            yield from _walruses(default, statement, place, certain=certain)
        return
    if isinstance(node, ast.NamedExpr):
        yield from _walruses(node.value, statement, place, certain=certain)
        yield place.binding(node.target, statement, certain=certain)
        return
    for child, always in _parts(node):
        yield from _walruses(child, statement, place, certain=certain and always)


def _parts(node: ast.expr) -> Iterable[tuple[ast.expr, bool]]:
    """The sub-expressions of a node, each with whether it is evaluated whenever the node is."""
    match node:
        case ast.BoolOp():
            return [(value, index == 0) for index, value in enumerate(node.values)]
        case ast.IfExp():
            return [(node.test, True), (node.body, False), (node.orelse, False)]
        case ast.Compare():
            return [(node.left, True), *((value, index == 0) for index, value in enumerate(node.comparators))]
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            return [
                (child, child is node.generators[0].iter)
                for outer in ast.iter_child_nodes(node)
                for child in ([outer] if isinstance(outer, ast.expr) else ast.iter_child_nodes(outer))
                if isinstance(child, ast.expr)
            ]
        case _:
            return [(child, True) for child in _expressions(node)]


def _expressions(node: ast.AST) -> Iterator[ast.expr]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield child
        elif isinstance(child, ast.keyword):
            yield child.value
