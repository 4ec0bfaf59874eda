"""`perennial run --profile`: the run as ever, and where its time went."""

import json

from place import Place

from perennial.profiling import flame


def test_it_writes_a_flame_graph_and_shows_the_steps(seasoned: Place) -> None:
    ended = seasoned.run("--profile", "--json")
    assert ended.code == 0, ended.text
    assert ended.json["status"] == "skipped"
    [folder] = (seasoned.home.root / "profiles").iterdir()
    assert folder.name.startswith("tiny-")
    assert {path.name for path in folder.iterdir()} == {flame.PAGE, flame.SPEEDSCOPE, flame.STEPS}
    steps = {step["name"]: step for step in json.loads((folder / flame.STEPS).read_text())}
    assert {"ingest", "look up", "between steps"} <= steps.keys()
    assert all(step["seconds"] >= 0 for step in steps.values())
    assert "where the time went" in ended.text
    assert str((folder / flame.PAGE).relative_to(seasoned.folder)) in ended.text, "as from the working folder"
