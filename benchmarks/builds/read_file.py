"""Run with a build by `python -m benchmarks reading`: ingests the file of pipeline.yaml in the working folder into a
fresh home, and prints seconds and rows."""

import json
import shutil
import sys
import time
from pathlib import Path


def main() -> None:
    """Seconds of one reading; libraries are loaded by a first reading of the file that the second argument names."""
    ingest, read_pipeline, home = _parts()
    for file in (sys.argv[2], sys.argv[1]):
        shutil.rmtree("home", ignore_errors=True)
        spec = read_pipeline(Path("pipeline.yaml"), [f"data.source.path={file}"])
        started = time.perf_counter()
        snapshot = ingest(spec, home(Path("home")))
        seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "rows": sum(part.rows for part in snapshot.parts)}))


def _parts():  # type: ignore[no-untyped-def]
    try:
        # As they are called in 874b2b4, which has no module of the newer names; but Python would find this build's.
        from perennial.data.snapshot import ingest
        from perennial.home import Home
        from perennial.spec_file import read as read_pipeline
    except ImportError:
        from perennial.core.home import Home
        from perennial.ingest.snapshots import ingest
        from perennial.pipeline_file.loader import read_pipeline
    return ingest, read_pipeline, Home


if __name__ == "__main__":
    main()
