"""The figures as a picture: a point for each median, a line from the lowest to the highest run, on a logarithmic scale.
It is drawn for light and dark pages."""

import math
import re
from xml.sax.saxutils import escape

from figures import duration, rate

WIDTH, NAMES, RIGHT, ROW, HEAD, FOOT = 780, 250, 100, 21, 46, 34

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; font-size: 14px; }
.quiet { fill: #57606a; }
.grid { stroke: #d0d7de; stroke-width: 1; }
.spread { stroke-width: 3; stroke-linecap: round; opacity: 0.45; }
.own { fill: #0969da; stroke: #0969da; }
.peer { fill: #9a6700; stroke: #9a6700; }
.limit { fill: #57606a; stroke: #57606a; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .quiet { fill: #9198a1; } .grid { stroke: #3d444d; }
  .own { fill: #4493f8; stroke: #4493f8; } .peer { fill: #d29922; stroke: #d29922; }
  .limit { fill: #9198a1; stroke: #9198a1; }
}
"""


def kind(name):
    """The class of a contender: ourselves, the limit, or a peer."""
    if name.startswith("Rollbook"):
        return "own"
    return "limit" if name.startswith("bare file") else "peer"


def short(text):
    """The text of a power of ten, without zeros behind the point."""
    return re.sub(r"\.0+ ", " ", text)


def scale(rows):
    """From a value to its place, and the powers of ten within."""
    low = math.floor(math.log10(min(runs.low for _, runs in rows)))
    high = math.ceil(math.log10(max(runs.high for _, runs in rows)))
    high = max(high, low + 1)
    room = WIDTH - NAMES - RIGHT
    place = lambda value: NAMES + (math.log10(value) - low) / (high - low) * room
    return place, [10.0**power for power in range(low, high + 1)]


def panel(title, rows, write, top):
    """One panel: its elements, and its height."""
    place, ticks = scale(rows)
    bottom = top + HEAD + ROW * len(rows)
    out = [f'<text class="title" x="8" y="{top + 18}">{escape(title)}</text>']
    for tick in ticks:
        x = f"{place(tick):.1f}"
        out.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{top + HEAD - 14}" y2="{bottom}"/>')
        label = escape(short(write(tick)))
        out.append(f'<text class="quiet" x="{x}" y="{bottom + 16}" text-anchor="middle">{label}</text>')
    for number, (name, runs) in enumerate(rows):
        y, of = top + HEAD + ROW * number, kind(name)
        low, middle, high = (place(value) for value in (runs.low, runs.median, runs.high))
        out.append(f'<text x="{NAMES - 12}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        out.append(f'<line class="spread {of}" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>')
        out.append(f'<circle class="{of}" cx="{middle:.1f}" cy="{y}" r="4.5"/>')
        out.append(f'<text class="quiet" x="{high + 10:.1f}" y="{y + 4}">{escape(write(runs.median))}</text>')
    return out, HEAD + ROW * len(rows) + FOOT


def panels(page):
    """What is drawn: title, rows, how values are written."""
    def rows(work, name):
        return [(of, page.runs(work, of, name)) for of in page.contenders(work, name)]

    yield "Durable append in batches of 1,000: events a second (right is better)", rows("append", "rate"), rate
    yield "One event, durable: p50 (left is better)", rows("single", "p50"), duration
    yield "Import of a file of JSON lines: lines a second (right is better)", rows("import mixed", "rate"), rate
    dataset = page.bench.datasets()[-1]
    where = "the real trace" if dataset == "trace" else "the load"
    yield f"Who was there at a moment, {where}: p50 (left is better)", rows(f"who {dataset}", "p50"), duration
    yield f"All stays, {where} (left is better)", rows(f"all-stays {dataset}", "p50"), duration
    snapshots = []
    for publishers in page.sizes.publishers:
        for label, name in (("Agora's sample", "Agora's sample"), ("Rollbook", "memory")):
            runs = page.runs(f"reconcile {publishers}", name, "p50")
            if runs:
                snapshots.append((f"{label}, {publishers:,} publishers", runs))
    yield "A snapshot of which 1 % changed, in memory (left is better)", snapshots, duration


def svg(page):
    """The picture as text."""
    top, out = 8, []
    for title, rows, write in panels(page):
        drawn, height = panel(title, rows, write, top)
        out += drawn
        top += height
    size = f'viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}"'
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">']
    head += ["<title>Rollbook beside its peers and the limit</title>", f"<style>{STYLE}</style>"]
    return "\n".join([*head, *out, "</svg>"]) + "\n"
