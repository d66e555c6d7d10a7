"""The generated part of benches/README.md."""

from figures import Runs, table, times

BEGIN = "<!-- rivals: what stands from here to the end mark is written by benches/rivals/run -->"
END = "<!-- rivals: end -->"

SETTINGS = [
    ("Rollbook", "`Store::submit` of parsed batches, `--durability power`: fdatasync a batch; deciding, reconciling, "
     "framing, compressing and chaining are in its time. `ingest` is the released program, from its start to its end"),
    ("bare file", "the same bytes, a CRC32C and one fdatasync a batch; at the import one fdatasync in all. "
     "The limit, no rival"),
    ("sled", "one `Batch` in one tree, `flush`, then fdatasync of its file (its flush on Linux does not empty the "
     "drive's cache); for frames `segment_size` 8 MiB, as Rollbook has it"),
    ("fjall", "one batch over two keyspaces, `PersistMode::SyncData`; frames in a keyspace with key-value separation"),
    ("redb", "one write transaction over two tables, `Durability::Immediate`"),
    ("SQLite", "one transaction a batch, prepared statements, WAL, `synchronous=FULL` with fdatasync, 64 MiB of cache, "
     "an index by (channel, topic, ts). At the import 10,000 rows a transaction, and the index at the end"),
    ("DuckDB", "`CREATE TABLE AS` from `read_json` with given columns, into a file, to the end of `close`; 2 threads; "
     "no index. The start of Python is not in its time"),
    ("parsers", "each line into a structure with the fields of these lines that borrows what it can; they check nothing "
     "else. Rollbook's own scanner makes an event of it: it knows all shapes, and checks limits and types"),
    ("Agora's sample", "its logic retold in Node, the event parsed before; one topic"),
]

DATASETS = {
    "mixed": "{lines} lines of the load, 3 in 1,000 of them snapshots",
    "changes": "{lines} lines of the load, without snapshots",
    "trace": "a real trace, {trace}",
}


class Page:
    """The tables of one run of the script."""

    def __init__(self, bench):
        self.figures = bench.figures
        self.sizes = bench.sizes
        self.bench = bench

    def runs(self, work, contender, name):
        """The values of a figure, or None where it was not measured."""
        values = self.figures.get((work, contender, name))
        return Runs(values) if values else None

    def contenders(self, work, name):
        return [of for (at, of, what) in self.figures if (at, what) == (work, name)]

    def rated(self, work, head, limit, with_latency):
        """A table of rates: beside Rollbook, and beside the limit."""
        first = self.contenders(work, "rate")[0]
        own, bare = self.runs(work, first, "rate"), self.runs(work, limit, "rate")
        rows = []
        for name in self.contenders(work, "rate"):
            rate, size = self.runs(work, name, "rate"), self.runs(work, name, "bytes")
            row = [name, rate.text("rate"), times(own.over(rate)) if name != first else "–", times(rate.over(bare))]
            if with_latency:
                row += [self.runs(work, name, at).text("us") for at in ("p50", "p99")]
            rows.append(row + [size.text("bytes")])
        latency = ["a batch, p50", "a batch, p99"] if with_latency else []
        return table([head, "rate", "Rollbook is", "of the bare file", *latency, "bytes on the disk, each"], rows)

    def singles(self):
        own, bare = self.runs("single", "Rollbook", "p50"), self.runs("single", "bare file", "p50")
        rows = []
        for name in self.contenders("single", "p50"):
            p50, p99 = self.runs("single", name, "p50"), self.runs("single", name, "p99")
            beside = "–" if name == "Rollbook" else times(p50.over(own))
            rows.append([name, p50.text("us"), p99.text("us"), beside, times(p50.over(bare))])
        return table(["one event", "p50", "p99", "p50 of Rollbook's", "p50 of the bare file's"], rows)

    def answered(self, dataset):
        rows = []
        names = {"who": "who was in a channel at a moment", "stays": "the stays in a channel", "all-stays": "all stays"}
        for what, text in names.items():
            work = f"{what} {dataset}"
            for name in self.contenders(work, "p50"):
                own = self.runs(work, "Rollbook", "p50")
                p50, p99 = self.runs(work, name, "p50"), self.runs(work, name, "p99")
                beside = "–" if name == "Rollbook" else times(p50.over(own))
                rows.append([text, name, p50.text("us"), p99.text("us") if what != "all-stays" else "–", beside])
        # Of fewer than a hundred, p99 is the slowest.
        slow = "p99" if self.sizes.questions >= 100 else "the slowest"
        return table(["question", "answered by", "p50", slow, "p50 of Rollbook's"], rows)

    def parsed(self, work):
        own = self.runs(work, "Rollbook", "rate")
        rows = []
        for name in self.contenders(work, "rate"):
            rate, mib = self.runs(work, name, "rate"), self.runs(work, name, "mib")
            beside = "–" if name == "Rollbook" else times(own.over(rate))
            rows.append([name, rate.text("rate"), f"{mib.median:.0f} MiB/s", beside])
        return table(["parser", "lines", "bytes", "Rollbook is"], rows)

    def reconciled(self):
        rows = []
        for publishers in self.sizes.publishers:
            work = f"reconcile {publishers}"
            sample = self.runs(work, "Agora's sample", "p50")
            memory, durable = self.runs(work, "memory", "p50"), self.runs(work, "durable", "p50")
            rows.append([
                f"{publishers:,}", sample.text("us") if sample else "not measured here", memory.text("us"),
                times(sample.over(memory)) if sample else "–", durable.text("us"),
            ])
        head = ["publishers", "Agora's sample in Node", "Rollbook, in memory", "the sample takes", "Rollbook, durably"]
        return table(head, rows)

    def dataset(self, name, trace):
        return DATASETS[name].format(lines=f"{self.sizes.lines:,}", trace=trace)

    def missing(self):
        """What was not measured, by name."""
        absent = [
            (self.bench.programs["duckdb"], "DuckDB (no Python package `duckdb`, and it could not be installed)"),
            (self.bench.programs["node"], "Agora's sample (no `node`)"),
            ("trace" in self.bench.datasets(), "the real trace (neither `--trace` nor `ROLLBOOK_TRACES` was given)"),
        ]
        named = [text for there, text in absent if not there]
        return "Not measured here: " + "; ".join(named) + "." if named else "All contenders were there."

    def text(self, facts, versions, note, trace):
        """The whole part, between its marks."""
        loads = Runs(self.bench.loads)
        facts = [*facts, ("load average", f"{loads.median:.1f} ({loads.low:.1f}–{loads.high:.1f}), that of the run in it")]
        if note:
            facts.append(("note", note))
        versions, settings = dict(versions), dict(SETTINGS)
        machine = table(["machine", ""], [list(fact) for fact in facts])
        contenders = [[name, versions.get(name, "–"), text] for name, text in settings.items()]
        tools = ", ".join(f"{name} {versions[name]}" for name in ("Rust", "Node"))
        parts = [
            BEGIN, "### Figures of the rivals",
            f"Medians of {self.bench.rounds} rounds, with the lowest and the highest round behind them. Tools: {tools}. "
            + self.missing(),
            "![The figures as a picture](rivals/figures.svg)",
            machine, table(["contender", "version", "how it is used, and synced"], contenders),
            f"**Durable append, {self.sizes.append:,} lines in batches of 1,000.**",
            self.rated("append", "contender", "bare file, the JSON lines", True),
            f"**One event at a time, durable before the next; {self.sizes.single:,} events.**", self.singles(),
        ]
        for name in self.bench.parsed_datasets():
            parts.append(f"**Parsing lines in memory, one core: {self.dataset(name, trace)}.**")
            parts.append(self.parsed(f"parse {name}"))
        for name in ["mixed", *self.bench.datasets()]:
            parts.append(f"**Import of a file of JSON lines: {self.dataset(name, trace)}.**")
            parts.append(self.rated(f"import {name}", "importer", "bare file", False))
        for name in self.bench.datasets():
            parts.append(
                f"**Questions: {self.dataset(name, trace)}.** {self.sizes.questions} moments a round, the stays in "
                f"{self.sizes.channels_asked} channels, all stays once. All answers were compared, and are the same."
            )
            parts.append(self.answered(name))
        parts += ["**A snapshot of one topic, 1 % changed.**", self.reconciled(), END]
        return "\n\n".join(parts) + "\n"


def put(readme, part):
    """Puts the part between its marks in a file; all else in it stays as it is."""
    with open(readme, encoding="utf-8") as file:
        text = file.read()
    before, found, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END + "\n")
    if not found or not ended:
        raise SystemExit(f"{readme} has no marks for the figures: {BEGIN} and {END}")
    with open(readme, "w", encoding="utf-8") as file:
        file.write(before + part + after)
