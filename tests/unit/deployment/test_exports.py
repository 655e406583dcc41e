"""A file's exports are read without running it; where the reading cannot be sure, it says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plimsoll.deployment.exports import Exports, looks_callback_style, read_exports

if TYPE_CHECKING:
    from pathlib import Path

JAVASCRIPT = [
    ("exports.handler = async () => 1;", ("handler",), True),
    ("module.exports.handler = x; exports.other = y;", ("handler", "other"), True),
    ("exports.a = exports.handler = f;", ("a", "handler"), True),
    ("module.exports = { handler, b: f, async c(event) {} };", (), False),
    ("module.exports = { handler, b: f };", ("handler", "b"), True),
    ("module.exports = { handler, ...more };", ("handler",), False),
    ("module.exports = require('./impl'); exports.a = 1;", ("a",), False),
    ("export const handler = async () => 1;", ("handler",), True),
    ("export async function handler() {}\nexport class C {}", ("handler", "C"), True),
    ("export function* stream() {}", ("stream",), True),
    ("const f = 1; export { f as handler, g };", ("handler", "g"), True),
    ("export default async () => 1;", ("default",), True),
    ("export const a = 1; export default f;", ("a", "default"), True),
    ("export const a = 1; export const { handler } = make();", ("a",), False),
    ("export * from './impl.mjs'; export const a = 1;", ("a",), False),
    ("exports['handler'] = f; exports.a = 1;", ("a",), False),
    ("const e = module.exports; e.handler = f; exports.a = 1;", ("a",), False),
    ("Object.assign(exports, impl); exports.a = 1;", ("a",), False),
    ("Object.defineProperty(exports, '__esModule', {}); exports.a = 1;", ("a",), False),
    ("__exportStar(require('./x'), exports); exports.a = 1;", ("a",), False),
    ("// exports.gone = 1\n/* exports.gone = 1 */ exports.a = 'exports.gone = 1';", ("a",), True),
    ("const t = `exports.gone = 1`; exports.a = t;", ("a",), True),
    ("if (exports.a === 1) exports.b = 1;", ("b",), True),
    ("console.log('no exports here');", (), False),
]
PYTHON = [
    ("def handler(event, context): ...", "handler", "", True),
    ("async def handler(event, context): ...", "handler", "", True),
    ("handler = lambda event, context: 1", "handler", "", True),
    ("handler: object = lambda event, context: 1", "handler", "", True),
    ("class Handler: ...\nhandler = Handler()", "", "Handler handler", True),
    ("handler: object = make()", "", "handler", True),
    ("handler, other = make()", "", "handler other", True),
    ("a = [b, (c)] = make()", "", "a b c", True),
    ("import os.path\nimport json as j\ndef f(): ...", "f", "os j", True),
    ("from impl import handler", "", "handler", True),
    ("from impl import *", "", "", False),
    ("from impl import *\ndef local(): ...", "local", "", False),
    ("globals()['handler'] = 1\na = 1", "", "a", False),
    ("try:\n    import x\nexcept ImportError:\n    x = None", "", "", False),
    ("if True:\n    def handler(): ...", "", "", False),
    ('"""A docstring."""\nprint(1)\nx = 1', "", "x", True),
    ("def broken(:", "", "", False),
    ("", "", "", True),
]


@pytest.mark.parametrize(("text", "names", "complete"), JAVASCRIPT)
def test_javascript(tmp_path: Path, text: str, names: tuple[str, ...], complete: bool) -> None:
    """CommonJS and ES modules, in the file's order, without what stands in comments and strings."""
    (tmp_path / "index.js").write_text(text)
    assert Exports(names, (), complete) == read_exports(tmp_path / "index.js")


@pytest.mark.parametrize(("text", "functions", "others", "complete"), PYTHON)
def test_python(tmp_path: Path, text: str, functions: str, others: str, complete: bool) -> None:
    """All that a module binds at its top, functions apart; star imports and branches leave it open."""
    (tmp_path / "app.py").write_text(text)
    expected = Exports(tuple(functions.split()), tuple(others.split()), complete)
    assert expected == read_exports(tmp_path / "app.py")


def test_names_are_functions_first() -> None:
    """A handler is a function, so these are named before imports and constants."""
    assert Exports(("b", "d"), ("a", "c"), complete=True).names == ("b", "d", "a", "c")


@pytest.mark.parametrize("name", ["app.py", "index.js"])
def test_bytes_that_are_no_text(tmp_path: Path, name: str) -> None:
    """A file that is no text is left to the runtime to complain of."""
    (tmp_path / name).write_bytes(b"\xff\xfe\x00")
    assert Exports((), (), complete=False) == read_exports(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text", "callback"),
    [
        ("index.js", "exports.handler = (event, context, callback) => callback(null, 1)", True),
        ("index.mjs", "export function handler(e, c, cb) {}", True),
        ("index.js", "exports.handler = function (e,c,done) {}", True),
        ("index.js", "exports.handler = async (event, context) => 1", False),
        ("index.js", "exports.handler = (event, context, responseStream) => 1", False),
        ("index.js", "// (event, context, callback)\nexports.handler = async () => 1", False),
        ("app.py", "def handler(event, context, callback): ...", False),
    ],
)
def test_callback_style(tmp_path: Path, name: str, text: str, callback: bool) -> None:
    """A third parameter named like a callback, in code and in JavaScript only."""
    (tmp_path / name).write_text(text)
    assert callback is looks_callback_style(tmp_path / name)
