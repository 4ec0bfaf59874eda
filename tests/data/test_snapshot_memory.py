import subprocess
import sys
from pathlib import Path

SCRIPT = """
import resource, sys
from pathlib import Path
from perennial.ingest.snapshots import ingest
from perennial.core.home import Home
from perennial.settings.pipeline import PipelineSpec
folder = Path(sys.argv[1])
spec = PipelineSpec.model_validate({
    "name": "p", "kind": "text-classification", "gates": [{"metric": "accuracy", "min": 0.5}],
    "data": {"source": {"type": "file", "path": sys.argv[2]}, "labels": ["a", "b"]},
}).located(folder)
rows = ingest(spec, Home(folder / ("home-" + sys.argv[2]))).rows
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(folder: Path, name: str, rows: int) -> int:
    """Peak memory, in KiB, of ingesting `rows` short rows in a process of its own."""
    path = folder / f"{name}.csv"
    with path.open("w") as file:
        file.write("text,label\n")
        file.writelines(f"t{number},a\n" for number in range(rows))
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, folder, f"{name}.csv"], capture_output=True, text=True, check=True
    )
    read, memory = map(int, run.stdout.split())
    assert read == rows
    return memory


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    assert peak(tmp_path, "large", 1_000_000) < 1.4 * peak(tmp_path, "small", 100_000)
