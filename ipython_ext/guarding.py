"""`%shapeguard guard on`: what later cells define is guarded, and annotated assignments at top level are checked."""

import ast
import copy
from importlib import import_module
from typing import Any

GUARD = "__shapeguard_guard__"
"""What the decorator is called in the namespace of the user."""

CHECK = "__shapeguard_check__"
"""What the check of an annotated assignment is called in the namespace of the user."""


class Guarding(ast.NodeTransformer):
    """An AST transformer of one shell, in force while it is on."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    @property
    def is_on(self) -> bool:
        """Whether cells are guarded."""
        return any(one is self for one in self._shell.ast_transformers)

    def turn(self, *, on: bool) -> None:
        """Guard what is defined from now on, or no longer; what was guarded stays so."""
        if on == self.is_on:
            return
        names: dict[str, Any] = dict.fromkeys((GUARD, CHECK))
        if on:
            names = {GUARD: _enforcement().guard, CHECK: check_assigned}
            self._shell.ast_transformers.append(self)
            self._shell.user_ns.update(names)
            self._shell.user_ns_hidden.update(names)
            return
        self._shell.ast_transformers[:] = [one for one in self._shell.ast_transformers if one is not self]
        for name in names:
            self._shell.user_ns.pop(name, None)
            self._shell.user_ns_hidden.pop(name, None)

    def visit_Module(self, node: ast.Module) -> ast.Module:
        """Guards in what the cell defines, and checks around the values that it assigns with an annotation."""
        for statement in node.body:
            match statement:
                case ast.AnnAssign(target=ast.Name(name), annotation=annotation, value=ast.expr() as value):
                    arguments = [ast.Constant(name), value, copy.deepcopy(annotation)]
                    call = ast.Call(ast.Name(CHECK, ast.Load()), arguments, [])
                    statement.value = ast.copy_location(call, value)
        guarded: ast.Module = import_module("shapeguard.enforcement.import_hook").add_guards(node)
        return guarded


def check_assigned(name: str, value: Any, annotation: Any) -> Any:
    """`value`, if it satisfies its annotation.

    Raises:
        TypeCheckError: it does not.

    >>> check_assigned("n", 3, int)
    3
    """
    __tracebackhide__ = True

    def assignment(value: Any) -> None: ...

    code = assignment.__code__
    assignment.__code__ = code.replace(co_varnames=(name, *code.co_varnames[1:]))
    assignment.__annotations__ = {name: annotation}
    assignment.__qualname__ = "assignment"
    _enforcement().guard(assignment)(value)
    return value


def _enforcement() -> Any:
    # Late: loading the extension loads neither jaxtyping nor beartype.
    return import_module("shapeguard.enforcement")
