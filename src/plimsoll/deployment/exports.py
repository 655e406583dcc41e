"""What a handler's file exports, found by reading it, never by running it.

Rule: certain or silent. Where the scan cannot be sure (star imports, computed exports, transpiled code) `complete`
is False, and nobody is refused on its word.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Exports:
    """The exported names, in the file's order."""

    functions: tuple[str, ...]
    """In Python those that are one for certain; in JavaScript, where the scan cannot tell, all."""
    others: tuple[str, ...]
    """Imports, classes, and what is made by calling something."""
    complete: bool
    """Whether these are all there can be."""

    @property
    def names(self) -> tuple[str, ...]:
        """All, functions first."""
        return self.functions + self.others


def read_exports(path: Path) -> Exports:
    """The exports of a JavaScript or Python file. One that does not parse is left to the runtime to complain of."""
    text = path.read_text(errors="replace")
    return _python(text) if path.suffix == ".py" else _javascript(text)


def _python(text: str) -> Exports:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return Exports((), (), complete=False)
    names: dict[str, bool] = {}  # and whether it is a function
    complete = True
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names[node.name] = not isinstance(node, ast.ClassDef)
        elif isinstance(node, ast.Assign):
            bound = [part for target in node.targets for part in ast.walk(target)]  # a, b = …
            stored = [part for part in bound if isinstance(part, ast.Name)]
            bound_here = [part.id for part in stored if isinstance(part.ctx, ast.Store)]
            names |= dict.fromkeys(bound_here, isinstance(node.value, ast.Lambda))
            complete &= not any(isinstance(part, ast.Subscript) for part in bound)  # globals()[…] =
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names[node.target.id] = isinstance(node.value, ast.Lambda)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            imported = [alias.asname or alias.name.split(".")[0] for alias in node.names]
            names |= dict.fromkeys((name for name in imported if name != "*"), False)
            complete &= "*" not in imported
        elif not isinstance(node, ast.Expr):
            complete = False  # an if or a try may define more
    functions = tuple(name for name, is_function in names.items() if is_function)
    others = tuple(name for name, is_function in names.items() if not is_function)
    return Exports(functions, others, complete)


_COMMENT_OR_STRING = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`", re.DOTALL
)
_ASSIGNED = re.compile(r"(?:\bmodule\s*\.\s*)?\bexports\s*\.\s*([A-Za-z_$][\w$]*)\s*=(?!=)")
_DECLARED = re.compile(
    r"\bexport\s+(?:async\s+)?(?:const|let|var|class|function\s*\*?)\s+([A-Za-z_$][\w$]*)"
)
_DEFAULT = re.compile(r"\bexport\s+(default)\b")
_LISTED = re.compile(r"\bexport\s*\{([^}]*)\}|\bmodule\s*\.\s*exports\s*=\s*\{([^{}]*)\}")
_UNSURE = re.compile(
    r"\bexports\s*\[|\bexport\s*\*|\bmodule\s*\.\s*exports\s*=(?!\s*\{[^{}]*\})|\bObject\s*\.\s*"
    r"(?:assign|definePropert)|\b__export|\.\.\.|\bexport\s+(?:const|let|var)\s*[\[{]|"
    r"=\s*(?:module\s*\.\s*)?exports\b(?!\s*\.)"
)


def _javascript(text: str) -> Exports:
    bare = _COMMENT_OR_STRING.sub(lambda m: '""' if m[0][0] in "\"'`" else " ", text)
    found = [
        (m.start(), m[1])
        for pattern in (_ASSIGNED, _DECLARED, _DEFAULT)
        for m in pattern.finditer(bare)
    ]
    for listed in _LISTED.finditer(bare):
        for item in (listed[1] or listed[2] or "").split(","):
            name = re.split(r"\bas\b", item)[-1] if listed[1] is not None else item.split(":")[0]
            name = re.sub(r"^async\b|\(.*", "", name.strip()).strip()
            if re.fullmatch(r"[A-Za-z_$][\w$]*", name):
                found.append((listed.start(), name))
    names = dict.fromkeys(name for _, name in sorted(found, key=lambda item: item[0]))
    return Exports(tuple(names), (), complete=bool(names) and _UNSURE.search(bare) is None)


def looks_callback_style(path: Path) -> bool:
    """Whether some function of the file takes a third parameter that is named like a callback."""
    if path.suffix == ".py":
        return False
    text = _COMMENT_OR_STRING.sub(" ", path.read_text(errors="replace"))
    return re.search(r"\(\s*\w+\s*,\s*\w+\s*,\s*(?:callback|cb|done)\s*\)", text) is not None
