"""The figures of a growing log as a picture: one small panel each, from zero on. It is drawn for light and dark pages."""

from xml.sax.saxutils import escape

from picture import STYLE

WIDTH, LEFT, RIGHT, HEIGHT, HEAD, FOOT = 380, 64, 16, 120, 34, 36

PANELS = [
    ("Entries written, a second", "", [("rate", 1, None)]),
    ("CPU a million entries", "s", [("cpu_s_a_million", 1, None)]),
    ("Memory", "MiB", [("rss_mib", 1, None)]),
    ("Disk", "MiB", [("disk_mib", 1, "whole folder"), ("blocks_mib", 1, "blocks")]),
    ("Opening the store", "ms", [("open_ms", 1, None)]),
    ("Who was there at a random moment", "ms", [("who_p50_us", 1e-3, "p50"), ("who_p99_us", 1e-3, "p99")]),
]


def number(value):
    """A short text for a number of an axis."""
    for size, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.4g}{name}"
    return f"{value:.3g}"


def nice(high):
    """The least round number that is not below."""
    power = 1.0
    while power < high:
        power *= 10
    while power / 10 >= high:
        power /= 10
    return next(power * part for part in (0.1, 0.2, 0.25, 0.5, 1) if power * part >= high)


def panel(title, unit, series, steps, left, top):
    """The elements of one panel."""
    values = [[step[name] * factor for step in steps] for name, factor, _ in series]
    high = nice(max(max(of) for of in values) or 1)
    last = steps[-1]["entries"]
    across = lambda entries: left + LEFT + entries / last * (WIDTH - LEFT - RIGHT)
    up = lambda value: top + HEAD + HEIGHT - value / high * HEIGHT
    out = [f'<text class="title" x="{left + 8}" y="{top + 16}">{escape(title)}{", " + unit if unit else ""}</text>']
    for part in (0, 0.5, 1):
        y = up(high * part)
        out.append(f'<line class="grid" x1="{left + LEFT}" x2="{left + WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        label = number(high * part)
        out.append(f'<text class="quiet" x="{left + LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    for part, anchor in ((0, "middle"), (0.5, "middle"), (1, "end")):
        x, label = across(last * part), number(last * part)
        out.append(
            f'<text class="quiet" x="{x:.1f}" y="{top + HEAD + HEIGHT + 18}" text-anchor="{anchor}">{label}</text>'
        )
    for (_, _, label), of, kind in zip(series, values, ("own", "peer")):
        points = " ".join(f"{across(step['entries']):.1f},{up(value):.1f}" for step, value in zip(steps, of))
        out.append(f'<polyline class="{kind}" style="fill: none; stroke-width: 2" points="{points}"/>')
        if label:
            y = up(of[-1]) - 6
            x = left + WIDTH - RIGHT
            out.append(f'<text class="{kind}" style="stroke: none" x="{x}" y="{y:.1f}" text-anchor="end">{escape(label)}</text>')
    return out


def svg(steps):
    """The picture as text."""
    out, high = [], HEAD + HEIGHT + FOOT
    for place, (title, unit, series) in enumerate(PANELS):
        out += panel(title, unit, series, steps, place % 2 * WIDTH, place // 2 * high + 8)
    size = (2 * WIDTH, (len(PANELS) + 1) // 2 * high + 16)
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}" '
            f'height="{size[1]}" role="img">']
    head += ["<title>Rollbook while its log grows</title>", f"<style>{STYLE}</style>"]
    return "\n".join([*head, *out, "</svg>"]) + "\n"
