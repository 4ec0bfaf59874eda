"""Runs the command line where some packages can't be imported, as if they were not installed: FILE ARGUMENTS, the file
a JSON list of their names."""

import importlib.abc
import json
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType


class Missing(importlib.abc.MetaPathFinder):
    """Finds none of some packages."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = frozenset(names)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


def main() -> None:
    file = sys.argv.pop(1)
    sys.meta_path.insert(0, Missing(json.loads(Path(file).read_text(encoding="utf-8"))))
    from flows import cli

    cli.main()


if __name__ == "__main__":
    main()
