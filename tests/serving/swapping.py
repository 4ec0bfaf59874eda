"""`python tests/serving/swapping.py HOME SWAPS [--kept]`: swap two packages in a process of its own, and say what
memory it holds after each tenth swap, in bytes. `--kept`: freed memory is kept, as glibc does by itself.
"""

import sys
from pathlib import Path

from perennial.core.home import Home
from perennial.inference.package import read_package
from perennial.records.package import Champion
from perennial.serving import memory
from perennial.serving.current import CurrentVersion
from perennial.serving.metrics import ServingMetrics
from perennial.serving.versions.following import Follower
from perennial.settings.serving import ServingSpec


def resident() -> int:
    """Bytes that this process holds."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def swap(home: Home, swaps: int) -> None:
    """Let the packages in the home serve in turn, as the follower lets them, and be asked."""
    packages = sorted(folder.relative_to(home.store.root) for folder in home.store.root.glob("export/*"))
    current = CurrentVersion()
    follower = Follower(home, "tiny", None, ServingSpec(threads=2), current, ServingMetrics("tiny"))
    for number in range(swaps):
        path = packages[number % len(packages)]
        digest = read_package(home.store.root / path).digest
        champion = Champion(version=str(number), path=str(path), package_digest=digest)
        follower._put(champion, follower._loaded(champion), "")
        follower._clear_away()
        assert current.served
        current.served.predictor.predict(["excellent soup"] * 64)
        if number % 10 == 9:
            sys.stdout.write(f"{resident()}\n")


if __name__ == "__main__":
    if "--kept" in sys.argv:
        memory.give_back = lambda: None
    else:
        memory.use_few_arenas()
    swap(Home(Path(sys.argv[1])), int(sys.argv[2]))
