"""The HTML page of a run: one file, no script, works offline. Everything from outside is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from plimsoll.report.words import headline, thoughts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from plimsoll.model import Completed, Verdict

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.5rem;margin-bottom:.2rem}
.advice{background:#fff7e6;border-left:4px solid #E69F00;padding:.7rem 1rem .7rem 2rem}
.quiet{color:#666} figure{margin:1.5rem 0;overflow-x:auto} svg{width:100%;max-width:56rem;height:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%;font-size:.88rem}
th,td{text-align:right;padding:.25rem .5rem;border-bottom:1px solid #e5e5e5}
th:last-child,td:last-child{text-align:left}
td.quiet{font-style:italic;padding-top:.6rem}
tr.fatal td{color:#b00020} .wide{overflow-x:auto} code{background:#f4f4f4;padding:0 .2rem}
"""


def render_page(svg: str, run: Sequence[Completed], verdict: Verdict, title: str) -> str:
    """The page. `svg` is our own chart; all other text is escaped."""
    advice = "".join(f"<li>{escape(thought)}</li>" for thought in thoughts(verdict))
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>{escape(title)}: {escape(headline(verdict))}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(headline(verdict))}</h1><p class='quiet'>{escape(title)}</p>"
        f"<ul class='advice'>{advice}</ul><figure>{svg}</figure>"
        f"<h2>Invocations</h2><div class='wide'>{_invocations(run)}</div>"
        f"<h2>Files in <code>/tmp</code> at the end</h2>{_files(run)}"
        "<p class='quiet'>Bars: in use when the invocation ended (a killed one: its peak). Diamonds: Max Memory Used, "
        f"by the {run[-1].report.source}; accounting: {run[-1].report.accounting}; "
        f"/tmp on {run[-1].report.tmp.backing}. "
        "Table: the parts of that peak; they add up to it. MB are MiB, as AWS writes them. "
        "Made by Plimsoll.</p></body></html>\n"
    )


def _invocations(run: Sequence[Completed]) -> str:
    heads = ("#", "Duration ms", "Init ms", "Billed ms", "Max Memory Used MB", "Heap", "/tmp", "Shared",
             "Files", "Kernel", "Platform", "Status")  # fmt: skip
    rows = []
    for before, completed in zip((None, *run), run, strict=False):
        report = completed.report
        if before is not None and before.report.log_stream != report.log_stream:
            rows.append(f"<tr><td colspan='{len(heads)}' class='quiet'>a new environment</td></tr>")
        init = "" if report.init_duration_ms is None else f"{report.init_duration_ms:.2f}"
        status = (
            report.status if report.error_type is None else f"{report.status}: {report.error_type}"
        )
        cells = (
            str(report.invocation),
            f"{report.duration_ms:.2f}",
            init,
            str(report.billed_duration_ms),
            str(report.max_memory_used_mib),
            *(f"{size / 2**20:.1f}" for size in report.memory.parts().values()),
            status,
        )
        rows.append(_row(cells, fatal=report.fatal))
    return _table(heads, rows)


def _files(run: Sequence[Completed]) -> str:
    report = run[-1].report
    if not report.tmp.files:
        return "<p>None.</p>"
    rows = [
        _row(
            (
                f"{file.bytes / 2**20:.1f}",
                f"{file.delta_bytes / 2**20:+.1f}",
                file.path + (" (deleted, still open)" if file.deleted else ""),
            )
        )
        for file in report.tmp.files[:50]
    ]
    return _table(("MB", "in the last invocation", "path"), rows)


def _table(heads: Iterable[str], rows: Iterable[str]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _row(cells: Iterable[str], *, fatal: bool = False) -> str:
    mark = " class='fatal'" if fatal else ""
    return f"<tr{mark}>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
