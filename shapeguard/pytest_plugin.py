"""`pytest --shapeguard-packages=mypkg,other` guards the named packages for the run; without it, nothing is done."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the one option."""
    group = parser.getgroup("shapeguard")
    group.addoption(
        "--shapeguard-packages",
        default="",
        metavar="PACKAGES",
        help="packages whose annotated functions are guarded, separated by commas",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Install the import hook before test modules import what they test."""
    packages = [name.strip() for name in config.getoption("--shapeguard-packages").split(",") if name.strip()]
    if packages:
        from shapeguard.enforcement.import_hook import install_import_hook  # noqa: PLC0415  nothing unless asked

        config.add_cleanup(install_import_hook(packages).uninstall)
