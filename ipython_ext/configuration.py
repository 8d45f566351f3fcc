"""Options from IPython's own configuration (`c.Shapeguard.rows = 20`) and from `[tool.shapeguard]` in pyproject.toml."""

from pathlib import Path
from typing import Any

from traitlets import Int, List, TraitError, Unicode, default, validate
from traitlets.config import Configurable

from shapeguard import settings as options
from shapeguard.errors import SettingsError


class Shapeguard(Configurable):
    """What shapeguard shows; `%config Shapeguard` lists it, `%shapeguard set` changes it."""

    rows = Int(help="Rows that one cell shows at most.").tag(config=True)
    items = Int(help="Entries of a container or a module that are looked at.").tag(config=True)
    kinds = List(Unicode(), help="Kinds of value that get a row.").tag(config=True)
    names = List(Unicode(), help="Patterns of which a name must match one; none: every name.").tag(config=True)
    color = Unicode(help="Colour in a terminal: auto, always or never.").tag(config=True)
    guard = Unicode(help="Whether guards check: on or off.").tag(config=True)

    @default("rows")
    def _rows(self) -> int:
        return options.settings.rows

    @default("items")
    def _items(self) -> int:
        return options.settings.items

    @default("kinds")
    def _kinds(self) -> list[str]:
        return list(options.settings.kinds)

    @default("names")
    def _names(self) -> list[str]:
        return list(options.settings.names)

    @default("color")
    def _color(self) -> str:
        return options.settings.color

    @default("guard")
    def _guard(self) -> str:
        return options.settings.guard

    @validate("rows", "items", "kinds", "names", "color", "guard")
    def _put_in_force(self, proposal: Any) -> Any:
        name = proposal["trait"].name
        try:
            options.change(name, proposal["value"], where=f"Shapeguard.{name}")
        except SettingsError as error:
            raise TraitError(str(error)) from None
        return proposal["value"]


def apply_project_file(folder: Path) -> None:
    """Put the options of the nearest pyproject.toml in force.

    Raises:
        SettingsError: it cannot be read, or sets an option that does not exist or does not take the value.
    """
    path = options.project_file(folder)
    if path is not None:
        for name, value in options.read_project_file(path).items():
            setattr(options.settings, name, value)
