"""Figures of several runs: medians with their spread, ratios, and how numbers are written."""

import statistics


class Runs:
    """The values of one figure in all runs."""

    def __init__(self, values):
        self.values = sorted(values)

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def low(self):
        return self.values[0]

    @property
    def high(self):
        return self.values[-1]

    def over(self, other):
        """How many times the other's median this median is."""
        return self.median / other.median

    def text(self, unit):
        """The median, and the lowest and the highest behind it."""
        write = UNITS[unit]
        return f"{write(self.median)} ({write(self.low)}–{write(self.high)})"


def digits(value):
    """A number with three significant digits, or whole where it is large."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def rate(value):
    """Things a second."""
    if value >= 1e6:
        return f"{value / 1e6:.2f} M/s"
    return f"{digits(value / 1e3)} k/s"


def duration(us):
    """A time, given in µs."""
    if us >= 1e6:
        return f"{digits(us / 1e6)} s"
    return f"{digits(us / 1e3)} ms" if us >= 1e3 else f"{digits(us)} µs"


UNITS = {"rate": rate, "us": duration, "bytes": lambda value: f"{value:.1f}"}


def times(ratio):
    """A ratio."""
    return f"{digits(ratio)}×"


def table(head, rows):
    """A table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)
