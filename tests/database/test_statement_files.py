"""Files of named statements: what a hand may write in them, and what each mistake is called, once."""

from pathlib import Path

import pytest

from marketplace.postgres import statement_files
from marketplace.postgres.statement_files import StatementFile
from marketplace.postgres.statements import (
    ADMIN,
    QUERIES,
    StatementError,
    find,
    named_sql,
    numbered,
    written,
)


def read(folder: Path, text: str) -> StatementFile:
    file = folder / "things.sql"
    file.write_text(text)
    return statement_files.read(file)


def test_fragments_stand_where_they_are_included_indented_as_that_line(tmp_path: Path):
    found = read(
        tmp_path,
        "-- Things.\n\n-- fragment: order\n-- Newest first.\nORDER BY\n    t.id DESC\n\n"
        "-- fragment: shown\nNOT t.hidden\n\n"
        "-- name: search\n-- budget: 7 buffers\n-- All of them.\nSELECT t.id\nFROM (\n    SELECT id FROM things AS t\n"
        "    WHERE /* include: shown */\n    /* include: order */\n) AS t\n;\n\n-- name: one\nSELECT 1;\n",
    )
    assert found.complaints == []
    search = found.statements["search"]
    assert search.text == (
        "SELECT t.id\nFROM (\n    SELECT id FROM things AS t\n"
        "    WHERE NOT t.hidden\n    ORDER BY\n        t.id DESC\n) AS t"
    )
    assert (search.line, search.budget, search.comment) == (11, 7, "-- All of them.")
    lines = [
        search.line_at(search.text.index(piece)) for piece in ("SELECT id", "NOT", "ORDER", "DESC")
    ]
    assert lines == [16, 9, 5, 6]


def test_a_fragment_may_include_others(tmp_path: Path):
    found = read(
        tmp_path,
        "-- fragment: a\n1\n-- fragment: b\n/* include: a */ + /* include: a */\n"
        "-- name: sum\nSELECT /* include: b */;\n",
    )
    assert (found.complaints, found.statements["sum"].text) == ([], "SELECT 1 + 1")


def test_semicolons_in_texts_and_comments_end_nothing(tmp_path: Path):
    text = """SELECT ';', E'\\';', ";", $$;$$, $a$ $$;$$ ; $a$ /* ; /* ; */ ; */ -- ;
FROM things -- it's"""
    found = read(tmp_path, f"-- name: odd\n{text}\n; -- behind it ; only\n/* and ; this */\n")
    assert (found.complaints, found.statements["odd"].text) == ([], text)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("-- name: a\nSELECT 1;\nDROP TABLE users;\n", 3, "a second statement"),
        ("-- name: a\nSELECT 1; DROP TABLE users\n", 2, "a second statement"),
        ("-- name: a\nSELECT 1;;\n", 2, "a second statement"),
        ("-- name: a\nSELECT 1; 'x'\n", 2, "a second statement"),
        ("-- name: a\nSELECT /* /* */ ' */ 1; DROP TABLE users -- '\n;\n", 2, "a second statement"),
        ("-- name: a\nSELECT E'\\\\'; DROP TABLE users; --'\n", 2, "a second statement"),
        ("-- name: a\nSELECT 1\n", 2, "does not end with `;`"),
        ("-- name: a\nSELECT 'x;\n", 2, "' is not closed"),
        ("-- name: a\nSELECT 1 /* /* */;\n", 2, "/* is not closed"),
        ("-- name: a\nSELECT $x$ $$;\n", 2, "$x$ is not closed"),
        ("-- name: a\nSELECT 1;\n\n-- nme: b\nSELECT 2;\n", 4, "`-- nme: b` is no header"),
        ("-- nme: a\nSELECT 1;\n", 1, "`-- nme: a` is no header"),
        ("-- name: a\nSELECT 1;\n--name: b\nSELECT 2;\n", 3, "is no header"),
        ("-- name: a\nSELECT 1;\n-- name b\nSELECT 2;\n", 3, "is no header"),
        ("-- name: a\nSELECT 1;\n-- Name: b\nSELECT 2;\n", 3, "is no header"),
        ("-- name: a\nSELECT 1;\n-- name: b c\nSELECT 2;\n", 3, "is no header"),
        ("-- name: a\nSELECT 1;\n-- name: B\nSELECT 2;\n", 3, "is no header"),
        ("-- name: a\nSELECT 1;\n  -- name: b\nSELECT 2;\n", 3, "is no header"),
        ("-- name: a\nSELECT 1;\n-- of: b\nSELECT 2;\n", 3, "is no header"),
        ("-- name: a\n-- bugdet: 9 buffers\nSELECT 1;\n", 2, "is no header"),
        ("-- name: a\n-- budget: 9 pages\nSELECT 1;\n", 2, "is no header"),
        ("-- name: a\n-- A word.\n-- budget: 9 buffers\nSELECT 1;\n", 3, "right below"),
        ("SELECT 1;\n-- name: a\nSELECT 1;\n", 1, "before the first"),
        ("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;\n", 3, "two statements named a"),
        (
            "-- fragment: a\n1\n-- fragment: a\n2\n-- name: b\nSELECT /* include: a */;\n",
            3,
            "two fragments named a",
        ),
        ("-- name: a\n-- Only words.\n", 1, "the statement a has no text"),
        ("-- fragment: a\n1\n-- name: b\nSELECT 1;\n", 1, "no statement includes the fragment a"),
        ("-- name: b\nSELECT /* include: a */;\n", 2, "the fragment a is not in this file"),
        (
            "-- fragment: a\n/* include: a */\n-- name: b\nSELECT /* include: a */;\n",
            2,
            "fragment a includes itself",
        ),
        (
            "-- fragment: a\n1;\n-- name: b\nSELECT /* include: a */;\n",
            2,
            "the fragment a has a `;`",
        ),
        (
            "-- fragment: a\n1 -- one\n-- name: b\nSELECT /* include: a */ + 1;\n",
            2,
            "ends in a comment",
        ),
        (
            "-- fragment: a\n'1\n2'\n-- name: b\n  SELECT /* include: a */;\n",
            2,
            "a text of several lines",
        ),
        ("-- name: b\nSELECT /* inlcude: a */ 1;\n", 2, "`/* inlcude: a */` is no include"),
        ("-- name: b\nSELECT /* include a */ 1;\n", 2, "`/* include a */` is no include"),
        ("-- name: a\nSELECT 5 % %(n)s;\n", 2, "a lone %"),
        ("-- name: a\nSELECT %(n) + %(m)s;\n", 2, "a lone %"),
    ],
)
def test_one_mistake_is_one_complaint(tmp_path: Path, text: str, line: int, words: str):
    found = read(tmp_path, text)
    assert [(each.line, words in each.words) for each in found.complaints] == [(line, True)], (
        found.complaints
    )
    with pytest.raises(StatementError, match=rf"things\.sql:{line}: "):
        named_sql("things", tmp_path)


def test_two_mistakes_are_two_complaints_in_the_order_of_lines(tmp_path: Path):
    read(
        tmp_path, "-- name: a\nSELECT 1;\nSELECT 2;\n-- nme: b\nSELECT 1;\n-- name: c\nSELECT 'x;\n"
    )
    with pytest.raises(StatementError) as refused:
        named_sql("things", tmp_path)
    assert [line.split(":")[1] for line in str(refused.value).splitlines()] == ["3", "4", "7"]


def test_comments_may_begin_with_any_words(tmp_path: Path):
    for words in (
        "sort: newest, price or name",
        "A name is a text.",
        "names of them all.",
        "Budgets are high.",
    ):
        assert read(tmp_path, f"-- name: a\n-- {words}\nSELECT 1;\n").complaints == [], words


def test_every_file_of_ours_is_read_without_a_complaint():
    for path in sorted(QUERIES.glob("*.sql")):
        found = statement_files.read(path)
        assert (found.complaints, bool(found.statements)) == ([], True), path.name
    assert named_sql("explain", ADMIN)


def test_the_name_rides_behind_the_text():
    sent = named_sql("products")["list_brand_newest"]
    assert sent.endswith("\nFROM shown\n-- products.list_brand_newest")
    assert sent.startswith("WITH ")
    assert find("products.list_brand_newest").text in sent


def test_a_place_in_the_numbered_text_is_found_in_the_written_one():
    text = "SELECT %(longer)s::int, '100 %%' || %(x)s, %(longer)s + nonsense"
    sent, names = numbered(text)
    assert (sent, names) == ("SELECT $1::int, '100 %' || $2, $1 + nonsense", ["longer", "x"])
    for word in ("SELECT", "::int", "100", "||", "nonsense"):
        assert written(text, sent.index(word)) == text.index(word), word
    assert written(text, sent.index("$2")) == text.index("%(x)s")
