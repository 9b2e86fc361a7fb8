"""The documents: lines that fit, the project's words, links that lead somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.documents import blocks

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 120
#: Ours, but for the page of words itself; the README of the vendored files follows their maker's words.
DOCUMENTS = sorted(
    path
    for path in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("deploy/**/*.md"),
        ROOT / "sql/README.md",
    )
    if path.name != "README.id.md"
)
GLOSSARY = ROOT / "docs" / "glossary.md"
#: What docs/glossary.md says not to say, as whole words; code and codes are left out before.
FORBIDDEN = re.compile(
    r"\b(pictures?|packing|gates?|guess(?:es|ing)|catalogs?|answer(?:s|ed|ing)?|asked|dressing|unwise|twins?|met"
    r"|the begin|first app|are had|to be had)\b",
    re.IGNORECASE,
)
INLINE_CODE = re.compile(r"`[^`]*`", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def outside_code(text: str) -> Iterator[tuple[int, str]]:
    """The lines outside fenced blocks, with their numbers."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line


def prose(path: Path) -> str:
    """The text of a document without code, and without the targets of its links."""
    text = "\n".join(line for _, line in outside_code(path.read_text()))
    return LINK.sub("]", INLINE_CODE.sub("`", text))


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = [
        line.lstrip("#").strip()
        for _, line in outside_code(path.read_text())
        if line.startswith("#")
    ]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_prose_fits_the_screen(path: Path):
    wide = [
        number
        for number, line in outside_code(path.read_text())
        if len(line) >= WIDTH and line[:1] != "|"
    ]
    assert not wide, f"{name_of(path)}: lines {wide} have {WIDTH} characters or more"


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path != GLOSSARY], ids=name_of)
def test_words_are_those_of_the_glossary(path: Path):
    found = sorted({match[0].lower() for match in FORBIDDEN.finditer(prose(path))})
    assert not found, f"{name_of(path)} says {found}: see docs/glossary.md"


def test_comments_of_statements_fit_the_screen():
    wide = [
        f"{name_of(path)}:{number}"
        for path in sorted([*ROOT.glob("sql/queries/*.sql"), *ROOT.glob("sql/admin/*.sql")])
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if line.lstrip().startswith("--") and len(line) >= WIDTH
    ]
    assert not wide


@pytest.mark.parametrize("path", [*DOCUMENTS, ROOT / "README.id.md"], ids=name_of)
def test_links_lead_somewhere(path: Path):
    text = "\n".join(line for _, line in outside_code(path.read_text()))
    for target in LINK.findall(INLINE_CODE.sub("`", text)):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = target.partition("#")
        there = (path.parent / place).resolve() if place else path
        assert there.is_relative_to(ROOT), f"{name_of(path)}: {target}"
        assert there.exists(), f"{name_of(path)}: {target}"
        if anchor:
            assert anchor in anchors(there), f"{name_of(path)}: {target}"


def test_the_index_lists_every_decision_under_its_title():
    folder = ROOT / "docs" / "decisions"
    listed = dict(
        re.findall(
            r"^\| \[\d{4}\]\((\S+)\) \| (.+) \|$", (folder / "README.md").read_text(), re.MULTILINE
        )
    )
    titles = {
        path.name: path.read_text().partition("\n")[0].removeprefix(f"# {path.name[:4]} ")
        for path in folder.glob("0*.md")
    }
    assert listed == titles


def test_the_licence_is_named_everywhere():
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()
    assert (
        "Apache License\n                           Version 2.0, January 2004"
        in (ROOT / "LICENSE").read_text()
    )
    assert "Apache-2.0" in (ROOT / "README.md").read_text()
    notice = (ROOT / "NOTICE").read_text()
    for part in ("Swagger UI", "psycopg", "pi-heif"):
        assert part in notice


#: A path of the repository in a document's code, such as `marketplace/app.py` or `sql/queries/`.
PATH = re.compile(r"`((?:marketplace|sql|tests|tools|deploy|docs)/[\w./-]+)`")


@pytest.mark.parametrize(
    "path", [path for path in DOCUMENTS if path.name != "CHANGELOG.md"], ids=name_of
)
def test_files_that_documents_name_exist(path: Path):
    text = "\n".join(line for _, line in outside_code(path.read_text()))
    named = {name for name in PATH.findall(text) if "NOUN" not in name and "/." not in name}
    missing = sorted(name for name in named if not (ROOT / name).exists())
    assert not missing, f"{name_of(path)}: {missing}"


def test_modules_that_the_map_of_the_code_names_exist():
    text = (ROOT / "docs" / "architecture.md").read_text()
    rooms = "|".join(sorted(rooms_there()))
    named = re.findall(rf"`((?:{rooms})/[a-z_/]+\.\w+)`", text)
    assert named
    assert not [name for name in named if not (ROOT / "marketplace" / name).exists()]
    constants = re.findall(rf"`((?:{rooms})/[a-z_/]+\.\w+)`: `([A-Z]+)`", text)
    assert {name for _, name in constants} >= {"CONSTRAINTS", "DEFAULTS", "DIALECTS", "SIZES"}
    for name, constant in constants:
        source = (ROOT / "marketplace" / name).read_text()
        assert re.search(rf"^{constant}\b.* = ", source, re.MULTILINE), (name, constant)


def rooms_there() -> set[str]:
    folders = (path for path in (ROOT / "marketplace").iterdir() if path.is_dir())
    return {path.name for path in folders if not path.name.startswith("_")}


def test_every_room_is_on_both_maps():
    page = (ROOT / "docs" / "architecture.md").read_text()
    table = page.partition("\nThe whole repository")[0]
    assert rooms_there() <= set(re.findall(r"`([a-z_]+)/`", table))
    block = page[page.index("```\nmarketplace/ ") :].split("```")[1]
    folder, mapped = Path(), set()
    for line in block.strip().splitlines():
        name = line.split()[0]
        folder = folder if line.startswith(" ") else Path(name)
        place = ROOT / (folder / name if line.startswith(" ") else name)
        assert place.exists(), line
        mapped.add(place.name)
    assert rooms_there() <= mapped


@pytest.mark.parametrize("name", ["README.md", "README.id.md", "docs/tour.md", "docs/clients.md"])
def test_every_command_is_run_by_a_test_or_marked_as_not_run(name: str):
    """Of the tour test_tour.py runs what is not marked, and compares what is shown behind it or as
    the console; the others are marked, each with the reason, and show nothing.
    """
    told = list(blocks(ROOT / name))
    assert told
    fences = re.findall(r"^```(.*)$", (ROOT / name).read_text(), re.MULTILINE)[::2]
    shown = [block for block in told if block.output is not None]
    assert len(fences) - len(told) - len(shown) == fences.count("console")
    assert fences.count("console") == (name == "docs/tour.md")
    if name != "docs/tour.md":
        assert not shown
        assert not [block.line for block in told if block.is_run]
    assert (ROOT / "README.md").read_text().count("\n") < 75, "a screen and a half"


@pytest.mark.parametrize("name", ["docs/api.md", "docs/operations.md"])
def test_the_list_of_contents_names_every_chapter(name: str):
    text = "\n".join(line for _, line in outside_code((ROOT / name).read_text()))
    contents, *chapters = text.split("\n## ")
    headings = [chapter.partition("\n")[0].strip() for chapter in chapters]
    listed = re.findall(r"\[([^\]]+)\]\(#", contents)
    assert [name for name in listed if name in headings] == headings


#: A command at the start of a piece of code, or behind another one in it.
COMMAND = re.compile(r"(?:^|\n|[&|] |-m |bin/) *(make|marketplace) ([a-z][a-z-]*)")
CODE = re.compile(r"^```\w*\n(.*?)^```$|`([^`\n]+)`", re.MULTILINE | re.DOTALL)


def test_commands_that_documents_name_exist():
    """Each command has a module, each target a rule: make itself ends well where a target has none."""
    there = {
        "make": set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)),
        "marketplace": {
            path.stem.removesuffix("_file").replace("_", "-")
            for path in (ROOT / "marketplace" / "commands").glob("[a-z]*.py")
        },
    }
    named = [
        (name_of(path), *found)
        for path in (*DOCUMENTS, ROOT / "README.id.md", ROOT / "llms.txt")
        for code in CODE.findall(path.read_text())
        for found in COMMAND.findall("\n".join(code))
    ]
    assert len({name for _, _, name in named}) > 40
    assert not [found for found in named if found[2] not in there[found[1]]]


def test_tests_that_the_table_of_walls_names_exist():
    there = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "SECURITY.md").read_text()))
    assert named
    assert named <= there
