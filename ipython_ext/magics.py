"""`%shapeguard`, `%shapes` and `%explain`."""

import ast
import re
from collections import UserDict
from collections.abc import Callable, Iterator
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class

from ipython_ext.configuration import Shapeguard
from ipython_ext.faults import Faults
from ipython_ext.guarding import Guarding
from ipython_ext.muting import DIRECTIVES
from ipython_ext.publish import publish_finding, publish_table
from shapeguard import settings as options
from shapeguard.errors import SettingsError
from shapeguard.notation import brief
from shapeguard.observation.readback import read_target
from shapeguard.records import Finding, Spec
from shapeguard.rendering.rows import Row, Selection, Table, note, shortened
from shapeguard.tensors import MISSING, describe, is_tensor_like


@magics_class
class ShapeguardMagics(Magics):
    """The line magics `%shapeguard`, `%shapes` and `%explain`, and what `%%shapes` says where it is used wrongly."""

    def __init__(self, shell: Any, configuration: Shapeguard, switch: "Switch", faults: Faults) -> None:
        super().__init__(shell)
        self._shell = shell
        self._faults = faults
        self._configuration = configuration
        self._switch = switch
        self.guarding = Guarding(shell)

    @line_magic
    def shapeguard(self, line: str) -> None:
        """Annotations on or off, their state, and options.

        %shapeguard on | off | status | guard on | guard off | set OPTION VALUE
        """
        self._run(self._shapeguard, line)

    @line_cell_magic
    def shapes(self, line: str, cell: str | None = None) -> None:
        """Every tensor-like name of the namespace, largest first; with names, those and what they hold.

        %shapes [--kind tensor|array|container|module] [NAME or PATTERN ...]

        A NAME may be an attribute or an item, such as net.weight or batch['x']; a PATTERN is W* or layer?.
        """
        self._run(self._shapes, line, cell)

    def _run(self, step: Callable[..., None], *args: Any) -> None:
        """Wrong use is the user's to read, in one line; a fault of ours is told of as any other."""
        try:
            step(*args)
        except UsageError:
            raise
        except Exception as error:  # noqa: BLE001
            self._faults.keep(error)

    def _shapeguard(self, line: str) -> None:
        words = line.split(maxsplit=2)
        match words:
            case ["on"]:
                self._switch.turn(on=True)
            case ["off"]:
                self._switch.turn(on=False)
            case ["guard", "on" | "off" as word]:
                self.guarding.turn(on=word == "on")
            case [] | ["status"]:
                print(self._status())  # noqa: T201  what a magic says goes to standard output
            case ["set", name, value]:
                self._set(name, value)
            case ["set", name] if name in options.OPTIONS:
                self._set(name, "")
            case ["set", *_]:
                message = f"%shapeguard set OPTION VALUE; options are {', '.join(options.OPTIONS)}"
                raise UsageError(message)
            case _:
                message = f"%shapeguard: {line.strip()!r} is not valid; valid are on, off, status, guard on, guard off, set OPTION VALUE"
                raise UsageError(message)

    @line_magic
    def explain(self, line: str) -> None:
        """Why the last tensor operation failed, in full: every operand, and what each repair means."""
        self._run(self._explain, line)

    def _explain(self, line: str) -> None:
        if line.strip():
            message = f"%explain takes no arguments; got {line.strip()!r}"
            raise UsageError(message)
        finding = self._switch.finding()
        if finding is None:
            print("no tensor operation has failed that could be explained")  # noqa: T201
            return
        publish_finding(self._shell, finding)

    def _set(self, name: str, value: str) -> None:
        try:
            options.change(name, value, where="%shapeguard set")
        except SettingsError as error:
            raise UsageError(str(error)) from None
        current = getattr(options.settings, name)
        setattr(self._configuration, name, list(current) if isinstance(current, tuple) else current)

    def _status(self) -> str:
        chosen = ", ".join(f"{name}={_option_text(getattr(options.settings, name))}" for name in options.OPTIONS)
        return f"shapeguard is {self._switch.state()}; {chosen}"

    def _shapes(self, line: str, cell: str | None) -> None:
        if cell is not None:
            message = (
                f"%%shapes: {line.strip()!r} is not valid on the first line of a cell; valid: {', '.join(DIRECTIVES)}"
            )
            raise UsageError(message)
        names, kinds = _asked_for(line)
        every = self._namespace()
        found = [row for name in names for row in self._found(name, kinds, every)] if names else []
        if not names:
            found = list(_rows(every, Selection(kinds=kinds)))
        if not found:
            of_kind = f" of kind {kinds[0]}" if len(kinds) == 1 else ""
            asked = f" that {' or '.join(names)} names" if names else ""
            print(f"no tensors, arrays or modules{of_kind}{asked} in the namespace")  # noqa: T201
            return
        publish_table(self._shell, Table(tuple(found)), "shapes in the namespace")

    def _found(self, name: str, kinds: tuple[str, ...], every: dict[str, Spec]) -> Iterator[Row]:
        if any(sign in name for sign in "*?") and not name.endswith("]"):
            yield from _rows(every, Selection(kinds=kinds, names=(name,)))
            return
        value = self._value_of(name)
        spec = None if value is MISSING else describe(value)
        if spec is None or not is_tensor_like(spec):
            known = ", ".join(sorted(every)) or "none"
            what = "is not defined, or cannot be read without running code" if spec is None else "has no shape"
            message = f"%shapes: {name!r} {what}; names with shapes are: {known}"
            raise UsageError(message)
        if spec.kind in kinds:
            yield _row(name, spec)
        entries = ((_entry(name, key, value), item) for key, item in spec.items)
        yield from (_row(entry, item) for entry, item in entries if is_tensor_like(item) and item.kind in kinds)

    def _namespace(self) -> dict[str, Spec]:
        """The user's own names, without the shell's, each with what it is."""
        space, hidden = self._shell.user_ns, self._shell.user_ns_hidden
        specs = {
            name: describe(value)
            for name, value in list(space.items())
            if not name.startswith("_") and not (name in hidden and hidden[name] is value)
        }
        return {name: spec for name, spec in specs.items() if is_tensor_like(spec)}

    def _value_of(self, name: str) -> Any:
        try:
            target = ast.parse(name, mode="eval").body
        except SyntaxError:
            return MISSING
        if not isinstance(target, (ast.Name, ast.Attribute, ast.Subscript)):
            return MISSING
        shown, value = read_target(target, self._shell.user_ns)
        return value if shown is target else MISSING


class Switch:
    """What `%shapeguard on`, `off` and `status` act on, and what `%explain` asks for."""

    def __init__(
        self, turn: Callable[[bool], None], state: Callable[[], str], finding: Callable[[], Finding | None]
    ) -> None:
        self._turn = turn
        self.state = state
        self.finding = finding

    def turn(self, *, on: bool) -> None:
        """Annotations on or off."""
        self._turn(on)


def _asked_for(line: str) -> tuple[list[str], tuple[str, ...]]:
    """Names and kinds of a `%shapes` line; a space within brackets or quotes is part of a name.

    >>> _asked_for("d['a b'] W* --kind tensor")
    (["d['a b']", 'W*'], ('tensor',))
    """
    words = re.findall(r"(?:\[[^\]]*\]|[^\s\[])+", line)
    kinds: tuple[str, ...] = options.KINDS
    if "--kind" in words:
        place = words.index("--kind")
        chosen = words[place + 1 : place + 2]
        if not set(chosen) <= set(options.KINDS) or not chosen:
            message = f"%shapes: --kind takes one of {', '.join(options.KINDS)}; got {' '.join(chosen) or 'nothing'}"
            raise UsageError(message)
        kinds = (chosen[0],)
        del words[place : place + 2]
    return [word.strip("'\"") for word in words], kinds


def _rows(specs: dict[str, Spec], selection: Selection) -> Iterator[Row]:
    chosen = [(name, spec) for name, spec in specs.items() if selection.admits(name, spec)]
    for name, spec in sorted(chosen, key=lambda pair: -total_bytes(pair[1])):
        yield _row(name, spec)


def _row(name: str, spec: Spec) -> Row:
    said = note(spec)
    size = bytes_text(total_bytes(spec))
    return Row(shortened(name), brief(spec), f"{size}, {said}" if said else size)


def _entry(name: str, key: str, owner: object) -> str:
    """How an entry of a container or a module is written: `d['k']`, `xs[0]`, `net.weight`."""
    if key.isdigit():
        return f"{name}[{key}]"
    return f"{name}[{key!r}]" if issubclass(type(owner), (dict, UserDict)) else f"{name}.{key}"


def total_bytes(spec: Spec) -> int:
    """Bytes of a value, of a container those of the entries that were looked at."""
    if spec.kind == "container":
        return sum(total_bytes(item) for _, item in spec.items)
    return spec.nbytes or 0


def bytes_text(count: int) -> str:
    """A number of bytes for people, in powers of 1000.

    >>> bytes_text(999), bytes_text(1920)
    ('999 B', '1.9 kB')
    """
    if count < 1000:  # noqa: PLR2004
        return f"{count} B"
    size = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        size /= 1000
        if size < 999.95:  # noqa: PLR2004  what would round to 1000.0 is 1.0 of the next unit
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} PB"


def _option_text(value: object) -> str:
    return (" ".join(map(str, value)) or "(none)") if isinstance(value, tuple) else str(value)
