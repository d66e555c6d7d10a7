"""Runs the works: each in a process and a folder of its own, all contenders by turns within a round, so that a slow
minute of the machine does not fall on one of them alone."""

import collections
import glob
import json
import os
import shutil
import subprocess
import sys
import time

from machine import load

BATCH = 1000
HERE = os.path.dirname(os.path.abspath(__file__))

# Contenders of the append: name, arguments. The first is what all are compared with, and the bare file is the limit.
APPEND = [
    ("Rollbook, 4 batches on their way", ["--contender", "rollbook", "--in-flight", "4"]),
    ("Rollbook, each batch awaited", ["--contender", "rollbook", "--in-flight", "1"]),
    ("bare file, the JSON lines", ["--contender", "bare", "--layout", "bytes"]),
    ("bare file, the same frames", ["--contender", "bare", "--layout", "frames"]),
    *(
        (f"{name}, {text}", ["--contender", name.lower(), "--layout", layout])
        for layout, text in (("rows", "one key an event"), ("frames", "the same frames"))
        for name in ("sled", "fjall", "redb", "SQLite")
    ),
]
# One event at a time: frames of one event would be nothing that anybody keeps.
SINGLE = [
    ("Rollbook", ["--contender", "rollbook", "--in-flight", "1"]),
    ("bare file", ["--contender", "bare", "--layout", "bytes"]),
    *((name, ["--contender", name.lower(), "--layout", "rows"]) for name in ("sled", "fjall", "redb", "SQLite")),
]
PARSERS = ["Rollbook", "serde_json", "simd-json", "sonic-rs"]
IMPORTERS = ["Rollbook", "DuckDB", "SQLite", "bare file"]
ANSWERERS = ["Rollbook", "Rollbook, sealed", "DuckDB", "SQLite"]
QUESTIONS = ["who", "stays", "all-stays"]


def size_of(folder):
    """The bytes that the files of a folder take on the disk."""
    paths = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]
    return sum(os.stat(path).st_blocks * 512 for path in paths)


class Bench:
    """The programs, the place, the sizes; and the figures by work, contender and name, a value a round."""

    def __init__(self, programs, place, sizes):
        self.programs = programs
        self.place = place
        self.sizes = sizes
        self.rounds = sizes.rounds
        self.figures = collections.defaultdict(list)
        self.loads = []

    def file(self, name):
        return os.path.join(self.place, name)

    def folder(self, name="store"):
        """A new and empty folder. What earlier works wrote is on the disk before the next one starts."""
        path = self.file(name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        os.sync()
        return path

    def call(self, *command):
        """The JSON that a program prints. The script ends with the program's words where it fails."""
        done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"failed: {' '.join(map(str, command))}")
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def rivals(self, *arguments):
        return self.call(self.programs["rivals"], *arguments)

    def note(self, work, contender, **values):
        self.loads.append(load())
        for name, value in values.items():
            self.figures[work, contender, name].append(value)

    def prepare(self):
        """The files of events, questions and snapshots. Answers of an earlier run go."""
        sizes = self.sizes
        for dataset in ("changes", "trace"):
            for path in glob.glob(self.file(f"{dataset}.*.*")):
                os.remove(path)
        for kind, count in (("mixed", max(sizes.lines, sizes.append)), ("changes", sizes.lines)):
            self.rivals(
                "events", "--kind", kind, "--count", count, "--channels", sizes.channels, "--out", self.file(kind)
            )
        for kind in self.datasets():
            asked = self.file(f"{kind}.asked")
            self.rivals("questions", "--events", self.file(kind), "--count", sizes.questions, "--out", asked)
        for publishers in sizes.publishers:
            self.rivals("snapshots", "--publishers", publishers, "--out", self.file(f"snapshots.{publishers}"))

    def datasets(self):
        """Those that are asked about: SQL has no reconciliation, so they have no snapshots."""
        return ["changes"] + (["trace"] if os.path.exists(self.file("trace")) else [])

    def parsed_datasets(self):
        """Lines of both formats; those without snapshots are no other lines."""
        return ["mixed", *(name for name in self.datasets() if name == "trace")]

    def append(self):
        self.appended("append", APPEND, self.sizes.append, BATCH)
        self.appended("single", SINGLE, self.sizes.single, 1)

    def appended(self, work, contenders, count, batch):
        for name, arguments in contenders:
            folder = self.folder()
            sizes = ["--count", count, "--batch", batch]
            found = self.rivals("append", *arguments, "--events", self.file("mixed"), *sizes, "--dir", folder)
            rate = found["count"] / found["seconds"]
            size = size_of(folder) / found["count"]
            self.note(work, name, rate=rate, p50=found["p50_us"], p99=found["p99_us"], bytes=size)

    def parses(self):
        """Parses the lines of each dataset in memory."""
        for dataset in self.parsed_datasets():
            for name in PARSERS:
                found = self.rivals("parse", "--contender", name.lower(), "--events", self.file(dataset))
                size = os.path.getsize(self.file(dataset))
                self.note(
                    f"parse {dataset}", name, rate=found["count"] / found["seconds"], mib=size / found["seconds"] / 2**20
                )

    def imports(self):
        """Imports each dataset with each contender, and asks those who can answer."""
        for dataset in ["mixed", *self.datasets()]:
            for name in IMPORTERS:
                if name == "DuckDB" and not self.programs["duckdb"]:
                    continue
                folder = self.folder()
                found = self.imported(name, dataset, folder)
                size = size_of(folder) / found["count"]
                self.note(f"import {dataset}", name, rate=found["count"] / found["seconds"], bytes=size)
                if name in ANSWERERS and dataset != "mixed":
                    self.asked(name, dataset, folder)
                if name == "Rollbook" and dataset != "mixed":
                    # What a server does when it is idle, and an import leaves to it.
                    self.call(self.programs["rollbook"], "--data", folder, "--format", "json", "compact")
                    self.asked("Rollbook, sealed", dataset, folder)
            if dataset != "mixed":
                self.compare(dataset)

    def imported(self, name, dataset, folder):
        events = self.file(dataset)
        if name == "Rollbook":
            start = time.perf_counter()
            summary = self.call(
                self.programs["rollbook"], "--data", folder, "--format", "json", "ingest", events
            )
            seconds = time.perf_counter() - start
            if summary["rejected"]:
                sys.exit(f"Rollbook rejected {summary['rejected']} lines of {dataset}")
            return {"count": summary["lines"], "seconds": seconds}
        if name == "DuckDB":
            return self.call(*self.programs["duckdb"], "import", events, folder, self.shape(dataset))
        contender = "bare" if name == "bare file" else "sqlite"
        return self.rivals("import", "--contender", contender, "--events", events, "--dir", folder)

    def shape(self, dataset):
        """How the lines of a dataset look: Rollbook's own format, or Agora's."""
        with open(self.file(dataset), encoding="utf-8") as lines:
            return "own" if lines.readline().startswith('{"t":') else "agora"

    def questions(self, dataset):
        """What is asked. Where there is one channel only, its stays are all stays."""
        with open(self.file(f"{dataset}.asked"), encoding="utf-8") as lines:
            channels = {json.loads(line)["channel"] for line in lines}
        return [what for what in QUESTIONS if what != "stays" or len(channels) > 1]

    def asked(self, name, dataset, folder):
        counts = {"who": self.sizes.questions, "stays": self.sizes.channels_asked, "all-stays": 1}
        for what in self.questions(dataset):
            count = counts[what]
            questions, answers = self.file(f"{dataset}.asked"), self.file(f"{dataset}.{what}.{name}")
            if name == "DuckDB":
                found = self.call(*self.programs["duckdb"], "ask", folder, questions, what, count, answers)
            else:
                found = self.rivals(
                    "ask", "--contender", name.lower().removesuffix(", sealed"), "--dir", folder, "--questions", questions, "--what", what,
                    "--count", count, "--answers", answers,
                )
            self.note(f"{what} {dataset}", name, p50=found["p50_us"], p99=found["p99_us"])

    def compare(self, dataset):
        """Every contender must have given the same answers: otherwise their times say nothing."""
        for what in self.questions(dataset):
            given = {}
            for name in ANSWERERS:
                path = self.file(f"{dataset}.{what}.{name}")
                if os.path.exists(path):
                    with open(path, encoding="utf-8") as lines:
                        given[name] = [json.loads(line) for line in lines]
            for name, answers in given.items():
                if answers != given["Rollbook"]:
                    sys.exit(f"{name} and Rollbook answer {what} of {dataset} differently: see {self.place}")

    def reconcile(self):
        for publishers in self.sizes.publishers:
            snapshots, work = self.file(f"snapshots.{publishers}"), f"reconcile {publishers}"
            if self.programs["node"]:
                sample = os.path.join(HERE, "agora_sample.mjs")
                found = self.call(self.programs["node"], sample, snapshots, 1)
                self.note(work, "Agora's sample", p50=found["p50_us"])
            for how in ("memory", "durable"):
                found = self.rivals(
                    "reconcile", "--snapshots", snapshots, "--how", how, "--count", self.sizes.snapshots, "--dir",
                    self.folder(),
                )
                self.note(work, how, p50=found["p50_us"])

    def clean(self):
        """Removes stores and events; figures, questions and answers stay."""
        shutil.rmtree(self.file("store"), ignore_errors=True)
        for name in ("mixed", "changes", "trace"):
            if os.path.exists(self.file(name)):
                os.remove(self.file(name))

    def round(self):
        self.append()
        self.parses()
        self.imports()
        self.reconcile()
