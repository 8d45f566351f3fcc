"""Options: one record, read as plain attributes.

No ContextVar, since reading one breaks `torch.compile(fullgraph=True)` and threads would not see what was set.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from shapeguard.errors import SettingsError

KINDS = ("tensor", "array", "container", "module")
COLORS = ("auto", "always", "never")
SWITCH = ("on", "off")


@dataclass(slots=True)
class Settings:
    """What a user can choose; every value here is valid, since `change` is the only way in."""

    rows: int = 40
    """Rows that one cell shows at most."""
    items: int = 8
    """Entries of a container or a module that are looked at."""
    kinds: tuple[str, ...] = KINDS
    """Kinds of value that get a row."""
    names: tuple[str, ...] = ()
    """Patterns (`fnmatch`) of which a name must match one to get a row; none: every name."""
    color: str = "auto"
    """Colour in a terminal: auto (on a TTY), always, never; never with NO_COLOR."""
    guard: str = "on"
    """Whether guards check: on, off. Live: it counts for the next call of every guarded function."""


settings = Settings()
"""The one record in force in this process."""


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def _words(value: str) -> tuple[str, ...]:
    return tuple(value.replace(",", " ").split())


def _kinds(value: str) -> tuple[str, ...]:
    words = _words(value)
    if not words or not set(words) <= set(KINDS):
        raise ValueError
    return words


def _color(value: str) -> str:
    if value not in COLORS:
        raise ValueError
    return value


def _switch(value: str) -> str:
    if value not in SWITCH:
        raise ValueError
    # The very object of SWITCH, since guards compare by identity first.
    return SWITCH[SWITCH.index(value)]


@dataclass(frozen=True, slots=True)
class Option:
    """How one option is read from text and what it takes."""

    read: Callable[[str], Any]
    takes: str


OPTIONS: Mapping[str, Option] = {
    "rows": Option(_count, "a whole number, 0 or more"),
    "items": Option(_count, "a whole number, 0 or more"),
    "kinds": Option(_kinds, f"one or more of {', '.join(KINDS)}"),
    "names": Option(_words, "patterns such as X or net.*, separated by spaces; none for every name"),
    "color": Option(_color, f"one of {', '.join(COLORS)}"),
    "guard": Option(_switch, f"one of {', '.join(SWITCH)}"),
}


def change(name: str, value: object, *, where: str = "set") -> None:
    """Give one option a value, from text or from a list of texts or a number.

    Raises:
        SettingsError: the option does not exist or does not take the value; one line that says what is valid.

    >>> change("rows", "12"); settings.rows
    12
    """
    option = OPTIONS.get(name)
    if option is None:
        message = f"{where}: {name!r} is not an option; valid are {', '.join(OPTIONS)}"
        raise SettingsError(message)
    setattr(settings, name, _read(option, name, value, where))


def _read(option: Option, name: str, value: object, where: str) -> Any:
    parts = value if isinstance(value, (list, tuple)) else (value,)
    text = " ".join(map(str, parts))
    # A boolean is an int to Python, and a pattern may be any text: what is neither text nor number is refused here.
    if all(isinstance(part, (int, str)) and not isinstance(part, bool) for part in parts):
        try:
            return option.read(text.strip())
        except ValueError:
            pass
    message = f"{where}: {name} takes {option.takes}; got {text!r}"
    raise SettingsError(message)


def reset(names: Iterable[str] = ()) -> None:
    """Give the named options, or all, their defaults again."""
    chosen = set(names) or {field.name for field in fields(Settings)}
    defaults = Settings()
    for name in chosen:
        setattr(settings, name, getattr(defaults, name))


def project_file(folder: Path) -> Path | None:
    """The nearest `pyproject.toml` at or above `folder`."""
    for candidate in (folder, *folder.parents):
        path = candidate / "pyproject.toml"
        if path.is_file():
            return path
    return None


def read_project_file(path: Path) -> dict[str, Any]:
    """The options that `[tool.shapeguard]` in a pyproject.toml sets, checked but not yet in force.

    Raises:
        SettingsError: the file is not TOML, or an option in it is unknown or out of range.
    """
    try:
        tool = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"{path}: cannot be read as TOML ({error})"
        raise SettingsError(message) from None
    table = tool.get("shapeguard", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        message = f"{path}: [tool.shapeguard] must be a table"
        raise SettingsError(message)
    where = f"{path} [tool.shapeguard]"
    options = {}
    for name, value in table.items():
        if name not in OPTIONS:
            message = f"{where}: {name!r} is not an option; valid are {', '.join(OPTIONS)}"
            raise SettingsError(message)
        options[name] = _read(OPTIONS[name], name, value, where)
    return options
