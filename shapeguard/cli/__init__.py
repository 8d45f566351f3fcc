"""The command line: `shapeguard run FILE`."""

from shapeguard.cli.command import main

__all__ = ["main"]
