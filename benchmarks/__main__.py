"""Every benchmark, each in a process of its own; exits 1 if any limit is passed."""

import subprocess
import sys

QUESTIONS = ("cells", "one_assignment", "flat", "long_session", "load")


def main() -> int:
    # A process each, so that what one loads or leaves behind is no part of the next.
    statuses = [subprocess.call([sys.executable, "-m", f"benchmarks.{name}"]) for name in QUESTIONS]  # noqa: S603  our own
    return 1 if any(statuses) else 0


if __name__ == "__main__":
    sys.exit(main())
