"""Draws docs/terminal.svg, the picture of README.md, from docs/tour.md: what it shows has been run.

    .venv/bin/python tools/terminal.py [FILE]

It takes the start of the service and a few commands of the tour with their outputs, as
tests/system/test_tour.py has compared them, and draws them as a terminal. The same text makes the
same picture.
"""

import html
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WIDTH, SIZE, LINE, LEFT, TOP = 860, 14, 20, 20, 62
COLUMNS = 95
#: Where the tour says something: the headings whose last block is shown, with a few lines of each.
CHAPTERS = ("Sell", "Buy")
COLOURS = {"prompt": "#7ee787", "said": "#c9d1d9", "dim": "#8b949e", "word": "#ffffff"}


def main(arguments: "list[str]") -> int:
    """Write the picture."""
    file = Path(arguments[0]) if arguments else ROOT / "docs" / "terminal.svg"
    file.write_text(
        picture((ROOT / "docs" / "tour.md").read_text(encoding="utf-8")), encoding="utf-8"
    )
    print(
        f"{file}: {len(scene(ROOT.joinpath('docs', 'tour.md').read_text(encoding='utf-8')))} lines"
    )
    return 0


def scene(tour: str) -> "list[tuple[str, str]]":
    """Return the lines to show, each with its colour."""
    shown = [("prompt", "marketplace run")]
    start = re.search(r"```console\n(.*?)```", tour, re.DOTALL)
    for line in start[1].splitlines() if start else ():
        if line != "...":
            shown.append(("word" if line.startswith("Marketplace") else "dim", line))
    paid = _chapter(tour, "Buy").rsplit("```sh\n", 1)[1]
    commands, _, rest = paid.partition("```\n```\n")
    outputs = rest.partition("```")[0].splitlines()
    shown.append(("said", ""))
    for command in _commands(commands):
        shown.append(("prompt", command))
        if " -o " not in command and not re.match(r"\w+=", command):
            shown.append(("word", outputs.pop(0)))
    return [(colour, line.replace("...", "…")) for colour, line in shown]


def _chapter(tour: str, heading: str) -> str:
    return tour.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def _commands(block: str) -> "list[str]":
    """Return the commands of a block, each on one line."""
    return re.sub(r"\\\n\s*", "", block).splitlines()


def picture(tour: str) -> str:
    """Return the SVG."""
    rows = []
    for colour, line in scene(tour):
        cut = line if len(line) <= COLUMNS else f"{line[: COLUMNS - 1]}…"
        mark = f'<tspan fill="{COLOURS["prompt"]}">$ </tspan>' if colour == "prompt" else ""
        fill = COLOURS["said"] if colour == "prompt" else COLOURS[colour]
        rows.append(f'{mark}<tspan fill="{fill}">{_spaced(cut)}</tspan>')
    texts = "\n".join(
        f'<text x="{LEFT}" y="{TOP + number * LINE}">{row}</text>'
        for number, row in enumerate(rows)
    )
    height = TOP + len(rows) * LINE + 4
    dots = "".join(
        f'<circle cx="{24 + 20 * number}" cy="21" r="6" fill="{fill}"/>'
        for number, fill in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
        f' height="{height}" role="img" aria-label="A terminal: marketplace run, and an order'
        ' that is sent, and refunded in part">\n'
        f'<rect width="{WIDTH}" height="{height}" rx="10" fill="#0d1117"/>\n{dots}\n'
        f'<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"'
        f' font-size="{SIZE}" style="white-space: pre" xml:space="preserve">\n{texts}\n</g>\n</svg>\n'
    )


def _spaced(line: str) -> str:
    """Return a line as text of the picture: browsers make one of several blanks."""
    return html.escape(line).replace("  ", "\u00a0\u00a0")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
