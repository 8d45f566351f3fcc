import sys
from pathlib import Path

# Where `python examples/NAME.py` puts it, so that the tests import what the scripts import.
sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
