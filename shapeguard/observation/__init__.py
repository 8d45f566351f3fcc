"""Seeing what statements bind, as they run, without changing what they do."""

from shapeguard.observation.recorder import Recorder, Sighting
from shapeguard.observation.statements import run_statements

__all__ = ["Recorder", "Sighting", "run_statements"]
