"""`python -m shapeguard` is the command line."""

from shapeguard.cli import main

main(prog_name="shapeguard")
