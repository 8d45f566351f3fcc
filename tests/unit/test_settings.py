"""Options: what each takes, what each refuses, and where a project sets them."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from shapeguard.errors import SettingsError, ShapeguardError
from shapeguard.records import KINDS as RECORD_KINDS
from shapeguard.settings import (
    KINDS,
    OPTIONS,
    Settings,
    change,
    project_file,
    read_project_file,
    reset,
    settings,
)

ALL_KINDS = ("tensor", "array", "container", "module")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = {field.name: getattr(settings, field.name) for field in fields(Settings)}
    yield
    for name, value in before.items():
        setattr(settings, name, value)


def test_the_defaults_are_the_documented_ones() -> None:
    assert Settings() == Settings(rows=40, items=8, kinds=ALL_KINDS, names=(), color="auto")


def test_every_setting_is_an_option_and_every_option_a_setting() -> None:
    assert list(OPTIONS) == [field.name for field in fields(Settings)]


def test_every_kind_that_can_be_chosen_is_a_kind_of_record() -> None:
    assert set(KINDS) <= set(RECORD_KINDS)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("rows", "0", 0),
        ("rows", "1", 1),
        ("rows", 12, 12),
        ("rows", " 12 ", 12),
        ("rows", ["12"], 12),
        ("items", "0", 0),
        ("items", 100_000, 100_000),
        ("kinds", "tensor", ("tensor",)),
        ("kinds", "tensor array", ("tensor", "array")),
        ("kinds", "tensor,module", ("tensor", "module")),
        ("kinds", ["container", "tensor"], ("container", "tensor")),
        ("kinds", ("module",), ("module",)),
        ("names", "", ()),
        ("names", [], ()),
        ("names", "X net.*", ("X", "net.*")),
        ("names", "X, Y", ("X", "Y")),
        ("names", ["X", "W?"], ("X", "W?")),
        ("color", "auto", "auto"),
        ("color", "always", "always"),
        ("color", " never ", "never"),
    ],
)
def test_an_option_takes(name: str, value: object, expected: object) -> None:
    change(name, value)
    assert getattr(settings, name) == expected


WHOLE = "a whole number, 0 or more"
SOME_KINDS = "one or more of tensor, array, container, module"
PATTERNS = "patterns such as X or net.*, separated by spaces; none for every name"
COLORS = "one of auto, always, never"


@pytest.mark.parametrize(
    ("name", "value", "takes", "shown"),
    [
        ("rows", "-1", WHOLE, "'-1'"),
        ("rows", "", WHOLE, "''"),
        ("rows", "many", WHOLE, "'many'"),
        ("rows", "1.5", WHOLE, "'1.5'"),
        ("rows", 1.0, WHOLE, "'1.0'"),
        ("rows", [1, 2], WHOLE, "'1 2'"),
        ("rows", True, WHOLE, "'True'"),
        ("rows", None, WHOLE, "'None'"),
        ("items", "-1", WHOLE, "'-1'"),
        ("items", False, WHOLE, "'False'"),
        ("kinds", "", SOME_KINDS, "''"),
        ("kinds", [], SOME_KINDS, "''"),
        ("kinds", "tensors", SOME_KINDS, "'tensors'"),
        ("kinds", "tensor scalar", SOME_KINDS, "'tensor scalar'"),
        ("kinds", {"tensor": 1}, SOME_KINDS, "\"{'tensor': 1}\""),
        ("names", True, PATTERNS, "'True'"),
        ("names", 3.5, PATTERNS, "'3.5'"),
        ("names", None, PATTERNS, "'None'"),
        ("names", {"X": 1}, PATTERNS, "\"{'X': 1}\""),
        ("names", ["X", True], PATTERNS, "'X True'"),
        ("names", ["X", ["Y"]], PATTERNS, "\"X ['Y']\""),
        ("color", "Always", COLORS, "'Always'"),
        ("color", "", COLORS, "''"),
        ("color", True, COLORS, "'True'"),
    ],
)
def test_an_option_refuses_in_one_line_that_says_what_is_valid_and_keeps_its_value(
    name: str, value: object, takes: str, shown: str
) -> None:
    before = getattr(settings, name)
    with pytest.raises(SettingsError) as caught:
        change(name, value, where="%shapes")
    assert str(caught.value) == f"%shapes: {name} takes {takes}; got {shown}"
    assert isinstance(caught.value, (ShapeguardError, ValueError))
    assert getattr(settings, name) == before


@pytest.mark.parametrize("name", ["row", "", "Rows", "__class__"])
def test_an_unknown_option_is_refused_with_the_list_of_those_that_exist(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        change(name, "1")
    assert str(caught.value) == f"set: {name!r} is not an option; valid are rows, items, kinds, names, color, guard"


def test_reset_gives_the_named_options_their_defaults_and_leaves_the_others() -> None:
    change("rows", 3)
    change("color", "never")
    reset(["rows"])
    assert (settings.rows, settings.color) == (40, "never")


def test_reset_without_names_gives_every_option_its_default() -> None:
    change("rows", 3)
    change("names", "X")
    reset()
    assert settings == Settings()


def test_the_record_takes_no_attribute_that_is_no_option() -> None:
    with pytest.raises(AttributeError):
        settings.row = 3  # type: ignore[attr-defined]  # that it has none is what is tested


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("[project]\nname = 'x'", {}),
        ("tool = 3", {}),
        ("[tool.ruff]\nrows = 3", {}),
        ("[tool.shapeguard]", {}),
        ("[tool.shapeguard]\nrows = 5", {"rows": 5}),
        ("[tool.shapeguard]\nrows = '5'", {"rows": 5}),
        (
            "[tool.shapeguard]\nkinds = ['tensor', 'array']\nnames = ['X', 'net.*']\ncolor = 'never'\nitems = 0",
            {"kinds": ("tensor", "array"), "names": ("X", "net.*"), "color": "never", "items": 0},
        ),
    ],
)
def test_a_project_file_gives_the_options_that_it_sets_and_puts_none_in_force(
    tmp_path: Path, text: str, expected: dict[str, Any]
) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(text, encoding="utf-8")
    before = Settings(settings.rows, settings.items, settings.kinds, settings.names, settings.color)
    assert read_project_file(path) == expected
    assert settings == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[tool.shapeguard]\nrow = 5",
            "{path} [tool.shapeguard]: 'row' is not an option; valid are rows, items, kinds, names, color, guard",
        ),
        (
            "[tool.shapeguard]\nrows = true",
            "{path} [tool.shapeguard]: rows takes a whole number, 0 or more; got 'True'",
        ),
        ("[tool.shapeguard]\nrows = 1.5", "{path} [tool.shapeguard]: rows takes a whole number, 0 or more; got '1.5'"),
        ("[tool.shapeguard]\nnames = true", "{path} [tool.shapeguard]: names takes " + PATTERNS + "; got 'True'"),
        ("[tool.shapeguard.kinds]\ntensor = 1", "{path} [tool.shapeguard]: kinds takes " + SOME_KINDS + "; got "),
        ("[tool]\nshapeguard = 3", "{path}: [tool.shapeguard] must be a table"),
        ("[tool.shapeguard", "{path}: cannot be read as TOML ("),
        ("rows = ", "{path}: cannot be read as TOML ("),
    ],
)
def test_a_project_file_that_is_wrong_is_one_error_that_names_the_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        read_project_file(path)
    assert str(caught.value).startswith(message.replace("{path}", str(path)))


def test_a_project_file_that_is_not_utf_8_or_not_there_is_one_error_that_names_it(tmp_path: Path) -> None:
    latin = tmp_path / "pyproject.toml"
    latin.write_bytes("[tool.shapeguard]\nnames = 'é'".encode("latin-1"))
    for path in (latin, tmp_path / "none.toml"):
        with pytest.raises(SettingsError) as caught:
            read_project_file(path)
        assert str(caught.value).startswith(f"{path}: cannot be read as TOML (")


def test_the_nearest_project_file_wins(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    outer_file = tmp_path / "pyproject.toml"
    outer_file.touch()
    assert project_file(inner) == outer_file
    near_file = tmp_path / "a" / "pyproject.toml"
    near_file.touch()
    assert project_file(inner) == near_file
    assert project_file(tmp_path) == outer_file


def test_a_folder_of_that_name_is_no_project_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    folder = tmp_path / "a"
    (folder / "pyproject.toml").mkdir(parents=True)
    assert project_file(folder) == tmp_path / "pyproject.toml"


def test_without_a_project_file_anywhere_above_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_file", lambda _path: False)
    assert project_file(tmp_path) is None
