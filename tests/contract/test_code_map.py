"""docs/code.md, the map for who carries on: every path on it is there, every room is on it, the floors are in order."""

import re
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "code.md").read_text(encoding="utf-8")
ELSEWHERE = {".perennial/"}
"""Made when Perennial runs, so no clone holds it."""


VARIABLES = {"PERENNIAL_HOME"}
"""Of the environment."""


def paths() -> list[str]:
    """What stands in backticks and is a path from the repository's root."""
    quoted = re.findall(r"`([^`\s]+)`", PAGE)
    return [one for one in quoted if ("/" in one or one.endswith((".py", ".md", ".toml"))) and one not in ELSEWHERE]


def is_a_room(path: Path) -> bool:
    return (path / "__init__.py").is_file() or (path.suffix == ".py" and path.name != "__init__.py")


def floors() -> list[set[str]]:
    """The rooms of each floor as the map draws them, from the top."""
    rows = re.findall(r"^\| (\d*) ?\| `perennial/([a-z_]+)(?:/|\.py)` \|", PAGE, re.MULTILINE)
    drawn: list[set[str]] = []
    for number, room in rows:
        if number:
            drawn.append(set())
        drawn[-1].add(room)
    return drawn


def test_every_path_on_the_map_is_there() -> None:
    assert len(paths()) > 100
    assert [path for path in paths() if not (REPOSITORY / path).exists()] == []


def test_every_class_and_constant_on_the_map_is_there() -> None:
    named = set(re.findall(r"`([A-Z][A-Za-z_]+)`", PAGE)) - VARIABLES
    files = [path for package in ("perennial", "flows", "tasks") for path in (REPOSITORY / package).rglob("*.py")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in files)
    defined = set(re.findall(r"^(?:class )?([A-Z]\w+)\b(?=\(|:| =)", code, re.MULTILINE))
    assert len(named) > 15
    assert named - defined == set()


def test_every_link_of_the_map_leads_to_a_page() -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", PAGE)
    assert links
    assert [link for link in links if not (REPOSITORY / "docs" / link).is_file()] == []


def test_every_room_is_on_the_map() -> None:
    rooms = {path.stem for path in (REPOSITORY / "perennial").iterdir() if is_a_room(path)}
    assert rooms == {room for floor in floors() for room in floor}


def test_the_floors_are_those_that_the_contract_holds() -> None:
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (layers,) = (one["layers"] for one in contracts["contracts"] if one.get("containers") == ["perennial"])
    assert floors() == [{room.strip(" ()") for room in layer.split("|")} for layer in layers]


def test_floors_are_numbered_from_the_ground() -> None:
    numbers = [int(number) for number in re.findall(r"^\| (\d+) \| `perennial/", PAGE, re.MULTILINE)]
    assert numbers == list(range(len(numbers), 0, -1))
