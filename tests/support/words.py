"""What the application says to its clients, read from its source: every template, and what
escapes translation.
"""

import ast
from pathlib import Path
from string import Formatter

#: Who says something, and which argument the words are.
SAYING = {
    "Problem": 1,
    "unauthorized": 1,
    "ImageRefused": 1,
    "Wrong": 1,
    "_error": 1,
    "BadCell": 1,
    "CatalogRefused": 1,
    "Refused": 1,
    "FieldError": 2,
    "CellError": 2,
    "invalid": 2,
    "say": 0,
}
#: Templates chosen at run time: of the refusal's caller, of validation._MESSAGES, of the roles a
#: call is for.
CHOSEN = {
    "message",
    "_MESSAGES.get(code, _MESSAGES['invalid'])",
    "' and '.join((f'{role}s' for role in roles))",
}


def placeholders(template: str) -> list[str]:
    """The values a template names, sorted; with what is to be done to them, where it says so,
    which none should.
    """
    found = []
    for _, name, form, conversion in Formatter().parse(template):
        if name is not None:
            found.append(
                name + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
            )
    return sorted(found)


class Words:
    """What one module says: its templates, and the places whose words cannot be translated."""

    def __init__(self, source: str, file: Path) -> None:
        self.templates: set[str] = set()
        self.untranslatable: set[str] = set()
        self._file = file
        tree = ast.parse(source)
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                self._read(function)
        for statement in tree.body:  # a table of texts
            if isinstance(statement, ast.Assign | ast.AnnAssign):
                self._read(statement)

    def _read(self, function: ast.AST) -> None:
        for call in ast.walk(function):
            name = _name(call)
            if name not in SAYING:
                continue
            words = [
                keyword.value for keyword in call.keywords if keyword.arg in ("detail", "message")
            ]
            words = words or call.args[SAYING[name] :][:1]
            if name == "say":
                good = self._said(words[0], {keyword.arg for keyword in call.keywords})
            elif name == "Wrong":  # cerberus hands its words on as plain text, without values
                good = self._plain(words[0])
            else:
                good = not words or self._known(words[0], function)
            if not good:
                self.untranslatable.add(f"{self._file}:{call.lineno}: {ast.unparse(words[0])}")

    def _said(self, template: ast.expr, values: set[str | None]) -> bool:
        """A template names just the values that come with it."""
        if ast.unparse(template) in CHOSEN:
            return True
        if not isinstance(template, ast.Constant) or set(placeholders(template.value)) != values:
            return False
        self.templates.add(template.value)
        return True

    def _plain(self, words: ast.expr) -> bool:
        """Words without values are their own template; a value's name in them would be shown as
        it stands.
        """
        return self._said(words, set()) if isinstance(words, ast.Constant) else False

    def _known(self, words: ast.expr, function: ast.AST) -> bool:
        """Whether an expression is words of ours, whatever way it takes."""
        match words:
            case ast.Constant(value=None) | ast.Starred() | ast.Attribute(attr="message"):
                return True  # none, or what was said before by one who is looked at too
            case ast.Constant():
                return self._plain(words)
            case ast.IfExp():
                return self._known(words.body, function) and self._known(words.orelse, function)
            case ast.Call():
                return _name(words) in ("say", "sentence", "together")
            case ast.Name(id=name):
                parameters = {one.arg for one in (*function.args.args, *function.args.kwonlyargs)}
                values = _assigned(name, function)
                known = [value is None or self._known(value, function) for value in values]
                return name in parameters or (bool(known) and all(known))
        return False


def _name(call: ast.AST) -> str:
    return (
        getattr(call.func, "id", getattr(call.func, "attr", ""))
        if isinstance(call, ast.Call)
        else ""
    )


def _assigned(name: str, function: ast.AST) -> list[ast.expr | None]:
    """What a variable is set to; None where it is one of several, as those of CONSTRAINTS
    are.
    """
    values: list[ast.expr | None] = []
    for node in ast.walk(function):
        for target in node.targets if isinstance(node, ast.Assign) else []:
            if isinstance(target, ast.Name) and target.id == name:
                values.append(node.value)
            elif isinstance(target, ast.Tuple) and name in {
                getattr(one, "id", None) for one in target.elts
            }:
                values.append(None)
    return values
