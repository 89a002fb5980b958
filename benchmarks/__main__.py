"""Every benchmark, one after the other: `python -m benchmarks`, or `make bench`.

Each prints its report as JSON and ends with 1 where a target is missed; so does the whole.
"""

import subprocess
import sys
from typing import Final

BENCHMARKS: Final = ("deciding", "append", "append_kafka", "rebuild", "size", "http_check")


def main() -> int:
    """Run all, and name those that missed a target."""
    missed = [
        name
        for name in BENCHMARKS
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
    ]
    sys.stderr.write(f"missed: {', '.join(missed)}\n" if missed else "every target is reached\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
