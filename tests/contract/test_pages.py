"""README, CONTRIBUTING and docs/: links lead somewhere, and the commands they show are there."""

import re
from pathlib import Path

import pytest

from flows.cli import COMMANDS, GROUPS

REPOSITORY = Path(__file__).parents[2]
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
CODE = re.compile(r"^ *```\w*\n(.*?)^ *```|`([^`\n]+)`", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in HEADING.findall(text)}


def shown(text: str, pattern: str) -> set[str]:
    """What `pattern` finds in a page's code: fenced blocks and words in backticks."""
    return {
        name
        for block in CODE.findall(text)
        for line in "".join(block).splitlines()
        for name in re.findall(pattern, line)
    }


def names(page: Path) -> str:
    return page.name


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", CODE.sub("code", TEXTS[page])):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_command_shown_is_there(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    commands = {command.__name__.replace("_", "-") for command in COMMANDS} | set(GROUPS)
    assert shown(TEXTS[page], r"(?:^|[(;|] *)make ([a-z][a-z-]+)") <= targets
    assert shown(TEXTS[page], r"(?<!namespace )\bperennial ([a-z]+(?:-[a-z]+)*)") <= commands


def test_the_readme_names_the_two_commands_and_can_be_read_at_one_sitting() -> None:
    readme = TEXTS[REPOSITORY / "README.md"]
    assert {"pipeline", "test"} <= shown(readme, r"^make ([a-z-]+)")
    assert len(readme.splitlines()) <= 160
    assert len(TEXTS[REPOSITORY / "CONTRIBUTING.md"].splitlines()) <= 80


def test_every_page_is_in_the_readmes_table() -> None:
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)\)", TEXTS[REPOSITORY / "README.md"]))
    assert linked == {page.name for page in PAGES if page.parent.name == "docs"}
