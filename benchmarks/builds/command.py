"""Run with a build by `python -m benchmarks serving`: its command line, without the packages that the first argument
names, parted by commas. Those came with a later build, and an earlier one would use them if it found them.
"""

import sys


def main() -> None:
    """The arguments after the first go to `perennial`."""
    for name in filter(None, sys.argv.pop(1).split(",")):
        sys.modules[name] = None  # type: ignore[assignment]
    from flows.cli import main as perennial

    perennial()


if __name__ == "__main__":
    main()
