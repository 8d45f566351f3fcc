"""`install_import_hook("mypkg")`: every annotated function and class of a package is guarded as it is imported."""

import ast
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import decode_source
from types import CodeType, ModuleType, TracebackType
from typing import Any, Self

from shapeguard.enforcement.guard import guard

GUARD = "__shapeguard_guard__"
"""What the decorator is called in a module that the hook has rewritten."""


def install_import_hook(packages: str | Iterable[str]) -> "ImportHook":
    """Guard what the named packages and their submodules define, from now on or for the length of a `with`.

    Modules that are already imported stay as they are. Functions and classes under `no_type_check` are left alone, and
    so is what has no annotations. The guard is the innermost decorator of a function and the outermost of a class.

    >>> with install_import_hook("mypkg"):
    ...     pass
    """
    hook = ImportHook([packages] if isinstance(packages, str) else list(packages))
    sys.meta_path.insert(0, hook)
    return hook


class ImportHook(MetaPathFinder):
    """Finds modules as Python does, and has those of some packages compiled with guards in them."""

    def __init__(self, packages: Sequence[str]) -> None:
        self.packages = tuple(packages)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What Python's own finder says, with a loader that adds guards."""
        if not any(fullname == package or fullname.startswith(f"{package}.") for package in self.packages):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or type(spec.loader) is not SourceFileLoader:
            return None
        spec.loader = _GuardingLoader(spec.loader.name, spec.loader.path)
        return spec

    def uninstall(self) -> None:
        """Guard nothing more; what was imported keeps its guards."""
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.uninstall()


class _GuardingLoader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType | None:
        # Never from or into __pycache__: what is there has no guards, and must not get any.
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)

    def source_to_code(  # type: ignore[override]  # typeshed gives it as static
        self, data: Any, path: Any, *, _optimize: int = -1
    ) -> CodeType:
        tree = add_guards(ast.parse(decode_source(data), path))
        return compile(tree, path, "exec", dont_inherit=True, optimize=_optimize)

    def exec_module(self, module: ModuleType) -> None:
        vars(module)[GUARD] = guard
        super().exec_module(module)


def add_guards(tree: ast.Module) -> ast.Module:
    """Decorate every annotated function and every class that defines one with `__shapeguard_guard__`."""
    _Guarding().visit(tree)
    return ast.fix_missing_locations(tree)


class _Guarding(ast.NodeTransformer):
    """Methods are guarded where they stand, so that a decorator above them finds them guarded; a class for its fields."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if _is_unchecked(node):
            return node
        self.generic_visit(node)
        if _is_dataclass(node):
            node.decorator_list.insert(0, _decorator(node))
        return node

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if _is_unchecked(node):
            return node
        self.generic_visit(node)
        if _is_annotated(node):
            node.decorator_list.append(_decorator(node))
        return node


def _decorator(node: ast.stmt) -> ast.expr:
    return ast.copy_location(ast.Name(GUARD, ast.Load()), node)


def _is_annotated(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return node.returns is not None or any(one is not None and one.annotation is not None for one in every)


def _is_unchecked(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    return any(_last_name(decorator) in ("no_type_check", "overload") for decorator in node.decorator_list)


def _is_dataclass(node: ast.ClassDef) -> bool:
    fields = any(isinstance(statement, ast.AnnAssign) for statement in node.body)
    return fields and any("dataclass" in _last_name(decorator) for decorator in node.decorator_list)


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(_, name):
            return name
        case ast.Call(function):
            return _last_name(function)
        case _:
            return ""
