"""The picture of a run: parts stacked over the invocations, the limit as a line. HTML, SVG, PNG or JSON by the ending.

Rule: altair and vl-convert are loaded here and only when a picture is asked for (the extra `chart`).
"""

from __future__ import annotations

import itertools
import json
import os
from typing import TYPE_CHECKING, Any

from plimsoll.errors import CallerError
from plimsoll.report.json_lines import invocation_object, verdict_object
from plimsoll.report.page import render_page
from plimsoll.report.words import headline

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from plimsoll.model import Completed, Verdict

ENDINGS = (".html", ".svg", ".png", ".json")
# Okabe and Ito's colours, told apart by colour-blind readers too; /tmp gets the one that stands out
PARTS = {
    "file": ("page cache of runtime and code", "#9bb7d4"),
    "kernel": ("kernel", "#c9c9c9"),
    "shmem": ("shared memory", "#CC79A7"),
    "platform": ("platform", "#e5e5e5"),
    "anon": ("heap and stacks", "#0072B2"),
    "tmp": ("/tmp", "#E69F00"),
}


def check_report_path(path: Path) -> None:
    """Before anything is run: can the file be written, and by what. Raises `CallerError`."""
    if path.suffix not in ENDINGS:
        raise CallerError(f"--report {path}: it ends in one of {', '.join(ENDINGS)}")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise CallerError(
            f"--report {path}: the folder {path.parent} is missing or cannot be written"
        )
    if path.suffix != ".json":
        _load_altair()


def write_report(path: Path, run: Sequence[Completed], verdict: Verdict, title: str) -> None:
    """Writes the picture, or the page, or the data. Raises `CallerError` where it cannot be written."""
    if path.suffix == ".json":
        data = {
            "invocations": [invocation_object(c) for c in run],
            "verdict": verdict_object(verdict),
        }
        _write(path, (json.dumps(data, indent=1) + "\n").encode())
        return
    chart = _chart(run)
    if path.suffix != ".html":  # the page has these words above the chart
        chart = chart.properties(title=_title(run, verdict, title))
    import vl_convert  # an optional extra

    spec = json.dumps(chart.to_dict())
    if path.suffix == ".png":
        _write(path, vl_convert.vegalite_to_png(spec, scale=2))
        return
    svg = vl_convert.vegalite_to_svg(spec)
    text = svg if path.suffix == ".svg" else render_page(svg, run, verdict, title)
    _write(path, text.encode(errors="replace"))


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise CallerError(f"--report {path}: {error.strerror}") from error


def _load_altair() -> Any:
    try:
        import altair  # an optional extra
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise CallerError(
            "pictures need the extra `chart`",
            mend="scripts/setup chart, or pip install altair vl-convert-python",
        ) from error
    return altair


def _rows(run: Sequence[Completed]) -> list[dict[str, object]]:
    """One row a part and invocation. Parts are those in use at the end; a killed invocation shows its peak."""
    rows: list[dict[str, object]] = []
    for number, completed in enumerate(run, 1):
        report = completed.report
        split = report.memory if report.fatal else report.at_end
        for order, (part, (label, _)) in enumerate(PARTS.items()):
            size = split.parts()[part]
            rows.append({"n": number, "part": label, "mb": size / 2**20, "order": order})
    return rows


def _chart(run: Sequence[Completed]) -> Any:
    alt = _load_altair()
    rows = _rows(run)
    present = [
        (label, colour)
        for label, colour in PARTS.values()
        if any(row["part"] == label and float(str(row["mb"])) >= 0.05 for row in rows)
    ]
    limit = run[-1].report.memory_size_mib
    x = alt.X("n:O", title="invocation", axis=alt.Axis(labelAngle=0))
    bars = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar()
        .encode(
            x=x,
            y=alt.Y("sum(mb):Q", title="MB", scale=alt.Scale(domain=[0, limit * 1.12], nice=False)),
            order=alt.Order("order:Q"),
            color=alt.Color(
                "part:N",
                title=None,
                sort=[label for label, _ in present],
                scale=alt.Scale(domain=[p[0] for p in present], range=[p[1] for p in present]),
                legend=alt.Legend(orient="bottom", columns=4),
            ),
        )
    )
    return (
        alt.layer(bars, *_marks(alt, run, x))
        .properties(width=max(420, min(900, 42 * len(run))), height=340)
        .configure(font="sans-serif", background="white", padding=16)
        .configure_view(stroke=None)
        .configure_axisY(gridColor="#eeeeee", domain=False)
    )


def _marks(alt: Any, run: Sequence[Completed], x: Any) -> list[Any]:
    """The limit as a labelled line, the peaks as points, so on top of the bars, kills as words."""
    limit = run[-1].report.memory_size_mib
    line = alt.Chart(alt.Data(values=[{"limit": limit}]))
    used = [
        {"n": n, "mb": c.report.peak_bytes / 2**20, "used": c.report.max_memory_used_mib}
        for n, c in enumerate(run, 1)
    ]
    fatal = [
        {
            "n": n,
            "mb": c.report.peak_bytes / 2**20,
            "text": "killed" if "Memory" in (c.report.error_type or "") else c.report.status,
        }
        for n, c in enumerate(run, 1)
        if c.report.fatal
    ]
    marks = [
        line.mark_rule(color="#b00020", strokeDash=[6, 4], strokeWidth=1.5).encode(y="limit:Q"),
        line.mark_text(
            align="left", dx=4, dy=-7, color="#b00020", x=0, text=f"memory limit {limit} MB"
        ).encode(y="limit:Q"),
        alt.Chart(alt.Data(values=used))
        .mark_point(color="#222", filled=True, size=28, shape="diamond")
        .encode(x=x, y="mb:Q", tooltip=alt.Tooltip("used:Q", title="Max Memory Used")),
    ]
    begun = [
        {"n": n, "mb": after.report.peak_bytes / 2**20, "text": "new environment"}
        for n, (before, after) in enumerate(itertools.pairwise(run), 2)
        if before.report.log_stream != after.report.log_stream
    ]
    if begun:
        anew = alt.Chart(alt.Data(values=begun))
        marks.append(
            anew.mark_text(color="#666", angle=270, dx=10, align="left", baseline="middle").encode(
                x=x, y="mb:Q", text="text:N"
            )
        )
    if fatal:
        failed = alt.Chart(alt.Data(values=fatal))
        marks.append(
            failed.mark_text(color="#b00020", dy=-20, fontWeight="bold").encode(
                x=x, y="mb:Q", text="text:N"
            )
        )
    return marks


def _title(run: Sequence[Completed], verdict: Verdict, title: str) -> Any:
    report = run[-1].report
    made_by = (
        f"diamonds: Max Memory Used (by the {report.source}, accounting {report.accounting}); "
        f"/tmp on {report.tmp.backing}"
    )
    return _load_altair().Title(headline(verdict), subtitle=[title, made_by], anchor="start")
