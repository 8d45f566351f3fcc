"""pytest: guards for named packages, and explanations of failing tests. Does nothing unless asked.

`--shapeguard-packages=mypkg,other` guards these packages for the run; `--shapeguard-explain`, or
`shapeguard_explain = true` in the configuration of pytest, adds a section to the report of a failing test that explains
the tensor operation that failed.
"""

from collections.abc import Generator
from typing import Any

import pytest

SECTION = "shapeguard"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The flags and the ini option."""
    group = parser.getgroup("shapeguard")
    group.addoption(
        "--shapeguard-packages",
        default="",
        metavar="PACKAGES",
        help="packages whose annotated functions are guarded, separated by commas",
    )
    text = "explain failing tensor operations: which operands and dims clash, and what would work"
    group.addoption("--shapeguard-explain", action="store_true", default=False, help=text)
    parser.addini("shapeguard_explain", text, type="bool", default=False)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Install the import hook before test modules import what they test."""
    packages = [name.strip() for name in config.getoption("--shapeguard-packages").split(",") if name.strip()]
    if packages:
        from shapeguard.enforcement.import_hook import install_import_hook  # noqa: PLC0415  nothing unless asked

        config.add_cleanup(install_import_hook(packages).uninstall)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, Any]:
    """Add the section; the report itself, with its traceback, stays as it is."""
    report = yield
    if call.excinfo is not None and report.failed and _is_wanted(item.config):
        # Imported for a failure only: without one, a test run pays nothing.
        from shapeguard.rendering import finding_text  # noqa: PLC0415
        from shapeguard.session import explain  # noqa: PLC0415

        finding = explain(call.excinfo.value)
        if finding is not None:
            report.sections.append((SECTION, finding_text(finding, numbered=True)))
    return report


def _is_wanted(config: pytest.Config) -> bool:
    return bool(config.getoption("--shapeguard-explain") or config.getini("shapeguard_explain"))
