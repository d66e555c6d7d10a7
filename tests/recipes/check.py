"""Runs every block of src/guide/recipes.md as it stands, and compares the answers of DuckDB, Polars and pandas with each
other and with those of rollbook: check.py ROLLBOOK."""

import contextlib
import datetime
import importlib.metadata
import io
import json
import math
import os
import pathlib
import re
import runpy
import subprocess
import sys
import tempfile
import warnings
import zoneinfo

import duckdb

import night

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
PAGE = (TOP / "src/guide/recipes.md").read_text()
PACKAGES = {"duckdb": ".sql", "polars": "_polars.py", "pandas": "_pandas.py"}
RECIPES = ["attendance", "peaks", "billing"]
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
SUNDAYS = {"spring": "2026-03-29", "autumn": "2025-10-26"}
CHANNELS = ["autumn", "spring", "studio-7"]
# The period that stands in the recipes, and one that cuts stays of the other night.
SPRING, AUTUMN = ("2026-03-01", "2026-06-01"), ("2025-10-27", "2025-10-28")


class Wrong(Exception):
    """A recipe's answer is wrong."""


def blocks():
    """The blocks of the page by the name in their first line."""
    found = {}
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        named = re.match(r"(?:--|#) (\w+\.(?:sh|sql|py))\n", text)
        if not named or {"sh": "sh", "sql": "sql", "py": "python"}[named[1].split(".")[1]] != language:
            raise Wrong(f"a block of {language} does not begin with its name: {text[:60]!r}")
        if named[1] in found:
            raise Wrong(f"two blocks are named {named[1]}")
        found[named[1]] = text
    wanted = {"export.sh", *(recipe + ending for recipe in RECIPES for ending in PACKAGES.values())}
    if set(found) != wanted:
        raise Wrong(f"blocks that are missing, or that nobody runs: {sorted(set(found) ^ wanted)}")
    return found


def plain(value):
    """A cell as all packages have it: times as Unix ms, minutes to less than a ms, and no value as None."""
    if value is None or value != value:  # NaN and NaT are not equal to themselves.
        return None
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            raise Wrong(f"{value} has no zone")
        return round(value.timestamp() * 1000)
    if isinstance(value, datetime.date):
        return value.isoformat()
    return round(value, 6) if isinstance(value, float) else value


def run(name, text):
    """The rows of a recipe's answer, each as an object."""
    if name.endswith(".sql"):
        with duckdb.connect() as connection:
            answer = connection.execute(text)
            columns, rows = [column[0] for column in answer.description], answer.fetchall()
    else:
        pathlib.Path(name).write_text(text)
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("error")
            answer = runpy.run_path(name)["answer"]
        columns = list(answer.columns)
        rows = answer.rows() if hasattr(answer, "rows") else answer.itertuples(index=False, name=None)
    return [dict(zip(columns, map(plain, row), strict=True)) for row in rows]


def expect(what, found, wanted):
    """Both are lists of objects, in the same order."""
    for number, (one, other) in enumerate(zip(found, wanted)):
        if one != other or list(one) != list(other):
            raise Wrong(f"{what}, row {number}:\n  {one}\nand not\n  {other}")
    if len(found) != len(wanted):
        longer = max(found, wanted, key=len)
        raise Wrong(f"{what}: {len(found)} rows and not {len(wanted)}: {longer[min(len(found), len(wanted))]}")


def agreed(recipe, texts, change=lambda text: text):
    """The answer of a recipe, if the packages agree."""
    answers = {package: run(recipe + ending, change(texts[recipe + ending])) for package, ending in PACKAGES.items()}
    for package, answer in answers.items():
        expect(f"{recipe} of {package} beside duckdb", answer, answers["duckdb"])
    return answers["duckdb"]


def asked(rollbook, *arguments):
    """What rollbook answers, a list of objects."""
    command = [rollbook, *arguments, "--format", "jsonl", "--zone", "Europe/Berlin"]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in answer.splitlines()]


def ms(time):
    return time and round(datetime.datetime.fromisoformat(time).timestamp() * 1000)


def check_attendance(rollbook, texts):
    wanted, perhaps = [], []
    for channel in CHANNELS:
        [times] = (found for found in asked(rollbook, "channels") if found["channel"] == channel)
        first, last = (datetime.datetime.fromisoformat(times[end]).astimezone(BERLIN) for end in ["first_at", "last_at"])
        for number in range((last.date() - first.date()).days + 1):
            day = first.date() + datetime.timedelta(days=number)
            until = day + datetime.timedelta(days=1)
            for line in asked(rollbook, "attendance", channel, "--from", f"{day}", "--to", f"{until}"):
                row = {name: line[name] for name in ["channel", "user"]} | {"day": f"{day}"}
                row |= {name: ms(line[name]) for name in ["first_in", "last_out"]} | {"min_ms": line["min_ms"]}
                # The page says that these have no row.
                (wanted if line["first_in"] else perhaps).append(row)
    wanted.sort(key=lambda row: (row["channel"], row["user"].encode(), row["day"]))
    expect("attendance beside rollbook attendance", agreed("attendance", texts), wanted)
    if {(row["user"], row["day"]) for row in perhaps} != {("hal", day) for day in SUNDAYS.values()}:
        raise Wrong(f"the made nights lack those who were perhaps there: {perhaps}")


def check_peaks(rollbook, texts):
    wanted = []
    for channel in CHANNELS:
        stays = asked(rollbook, "sessions", channel, "--per", "channel")
        stays = [(ms(stay["joined_at"]), ms(stay["left_at"]) or math.inf) for stay in stays]
        for line in asked(rollbook, "stats", channel, "--every", "1h"):
            if line["topic"] is not None:
                continue
            begin, end = ms(line["from"]), ms(line["to"])
            moments = [begin, *(joined for joined, _ in stays if begin <= joined < end)]
            users = max(sum(joined <= moment < left for joined, left in stays) for moment in moments)
            members = line["peak"]["count"] if line["peak"] else 0
            wanted.append({"channel": channel, "hour": begin, "users": users, "members": members})
    expect("peaks beside rollbook stats", agreed("peaks", texts), wanted)
    if not any(row["users"] == 0 for row in wanted) or all(row["users"] == row["members"] for row in wanted):
        raise Wrong("the made nights lack an hour without anybody, or somebody who is there twice")


def check_billing(rollbook, texts, period):
    def change(text):
        for standing, other in zip(SPRING, period):
            if text.count(standing) != 1:
                raise Wrong(f"a recipe of billing does not name {standing} once")
            text = text.replace(standing, other)
        return text

    wanted, sums = [], {}
    times = ["--from", period[0], "--to", period[1]]
    for channel in CHANNELS:
        for line in asked(rollbook, "attendance", channel, *times):
            bounds = {f"{bound}_minutes": plain(line[f"{bound}_ms"] / 60000) for bound in ["min", "max"]}
            wanted.append({name: line[name] for name in ["channel", "user"]} | bounds)
        for stay in asked(rollbook, "sessions", channel, "--per", "channel", "--clip", *times):
            least, most = sums.get((channel, stay["user"]), (0, 0))
            sums[channel, stay["user"]] = (least + stay["min_ms"], most + stay["max_ms"])
    found = agreed("billing", texts, change)
    found, loose = without_kit(found)
    wanted, narrow = without_kit(wanted)
    expect("billing beside rollbook attendance", found, wanted)
    # The page says that the recipe's bound is a wider one where a join was reported in a gap.
    for channel, (least, most) in narrow.items():
        if loose[channel][0] != least or loose[channel][1] <= most:
            raise Wrong(f"the bounds of kit in {channel} are {loose[channel]}, beside {least} and {most}")
    if len(narrow) != 1 or not any(row["min_minutes"] < row["max_minutes"] for row in found):
        raise Wrong("the made nights lack a join in a gap, or bounds that differ")
    if period == SPRING:
        # The page says that a stay that goes on is listed also where its log ended before the period.
        if sums.pop(("autumn", "jo")) != (0, 0):
            raise Wrong("rollbook sessions does not list a stay of jo in autumn")
        names = ["channel", "user", "min_minutes", "max_minutes"]
        sums = [dict(zip(names, (*key, *(plain(ms / 60000) for ms in both)))) for key, both in sorted(sums.items())]
        expect("billing beside rollbook sessions", found, without_kit(sums)[0])


def without_kit(rows):
    """The rows without those of kit, and the bounds of these by channel."""
    kits = {row["channel"]: (row["min_minutes"], row["max_minutes"]) for row in rows if row["user"] == "kit"}
    return [row for row in rows if row["user"] != "kit"], kits


def main():
    rollbook = os.path.abspath(sys.argv[1])
    texts = blocks()
    for package in ["duckdb", "polars", "pandas", "pyarrow"]:
        version = importlib.metadata.version(package)
        if not re.search(rf"{package} {re.escape(version)}\b", PAGE, re.IGNORECASE):
            raise Wrong(f"the page does not name {package} {version}, with which it is tried")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ |= {"ROLLBOOK_DATA": f"{folder}/store", "PATH": f"{folder}/bin:{os.environ['PATH']}"}
        os.environ.pop("ROLLBOOK_URL", None)
        os.mkdir("bin")
        os.symlink(rollbook, "bin/rollbook")
        files = [TOP / "examples/weak-network-evening.jsonl"]
        for channel, sunday in SUNDAYS.items():
            files.append(pathlib.Path(f"{channel}.jsonl"))
            files[-1].write_text(night.night(channel, sunday))
        subprocess.run([rollbook, "ingest", "--strict", *files], check=True, capture_output=True)
        subprocess.run(["bash", "-euc", texts["export.sh"]], check=True, capture_output=True)
        check_attendance(rollbook, texts)
        check_peaks(rollbook, texts)
        check_billing(rollbook, texts, SPRING)
        check_billing(rollbook, texts, AUTUMN)
    print(f"{len(texts)} blocks of recipes.md: the same answers from DuckDB, Polars, pandas and rollbook")


if __name__ == "__main__":
    try:
        main()
    except Wrong as wrong:
        sys.exit(str(wrong))
    except subprocess.CalledProcessError as failed:
        sys.exit(f"{failed}\n{failed.stderr if isinstance(failed.stderr, str) else failed.stderr.decode()}")
