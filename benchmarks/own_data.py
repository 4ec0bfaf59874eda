"""A user's own file: `perennial init`, `perennial run`, and what int8 costs."""

from pathlib import Path

from benchmarks.common.command import perennial

FILES = {
    "financial_phrasebank": "financial_phrasebank/train.jsonl",
}


def measure(scratch: Path, data: Path) -> dict[str, object]:
    """`init` and `run` on each data set there is under `data`; nothing for those that are not there."""
    figures: dict[str, object] = {}
    for name, file in FILES.items():
        if (data / file).is_file():
            figures |= _one(scratch, name.replace("_", "-"), (data / file).resolve())
    return figures


def _one(scratch: Path, name: str, file: Path) -> dict[str, object]:
    home = scratch / "home"
    begun = perennial("init", name, "--data", str(file), "--json", home=home, folder=scratch)
    ran = perennial("run", name, "--json", home=home, folder=scratch)
    answer = ran.answer
    metrics, package = answer["metrics"], answer["package"]
    return {
        f"{name}: status": f"{answer['status']} (exit {ran.code})",
        f"{name}, init seconds": begun.seconds,
        f"{name}, run seconds": ran.seconds,
        f"{name}, seconds of steps": answer["seconds"],
        f"{name}, peak MB": ran.peak_mb,
        f"{name}, test rows": metrics["n"],
        f"{name}, accuracy of the package": metrics["accuracy"],
        f"{name}, accuracy of tfidf": metrics["baselines"]["tfidf"]["accuracy"],
        f"{name}, package": f"{package['precision']}, {package['size_bytes'] / 1e6:.1f} MB",
        f"{name}, parity": package["parity"],
    }
