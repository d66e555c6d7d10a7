"""Facts about the machine and the versions of all contenders. Nothing here is measured."""

import datetime
import json
import os
import platform
import re
import subprocess


def output(*command):
    """What a command prints, or None where there is no such command or it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def read(path):
    """A small file of the system, or an empty text."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def processor():
    """The processor's name."""
    named = re.search(r"model name\s*:\s*(.+)", read("/proc/cpuinfo"))
    return named.group(1).strip() if named else platform.processor() or platform.machine()


def memory():
    """The memory in GiB."""
    found = re.search(r"MemTotal:\s*(\d+) kB", read("/proc/meminfo"))
    return f"{int(found.group(1)) / (1 << 20):.0f} GiB" if found else "not known"


def file_system(folder):
    """The kind of the file system that holds a folder."""
    folder = os.path.realpath(folder)
    best = ("", "not known")
    for line in read("/proc/mounts").splitlines():
        _, point, kind, *_ = line.split()
        below = folder == point or folder.startswith(point.rstrip("/") + "/")
        if below and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1]


def load():
    """The load average of the last minute."""
    return os.getloadavg()[0]


def facts(folder):
    """The machine, as pairs for the page."""
    return [
        ("date", datetime.date.today().isoformat()),
        ("processor", processor()),
        ("cores", str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())),
        ("memory", memory()),
        ("system", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("file system", file_system(folder)),
    ]


def locked(lock):
    """The versions of the crates in a Cargo.lock."""
    text = read(lock)
    return dict(re.findall(r'\[\[package\]\]\nname = "([^"]+)"\nversion = "([^"]+)"', text))


def versions(here, rivals, rollbook, duckdb, node):
    """The version of each contender, as pairs for the page."""
    crates = locked(os.path.join(here, "Cargo.lock"))
    sqlite = json.loads(output(rivals, "versions") or "{}").get("sqlite", "not known")
    found = [("Rollbook", (output(rollbook, "--version") or "not known").split()[-1])]
    found += [(name, crates.get(name, "not known")) for name in ("sled", "fjall", "redb")]
    found.append(("SQLite", f"{sqlite} (rusqlite {crates.get('rusqlite', 'not known')})"))
    found.append(("DuckDB", f"{duckdb} (Python {platform.python_version()})" if duckdb else "not here"))
    parsers = ("serde_json", "simd-json", "sonic-rs")
    found.append(("parsers", ", ".join(f"{name} {crates.get(name, 'not known')}" for name in parsers)))
    found.append(("Node", output(node, "--version").lstrip("v") if node else "not here"))
    found.append(("Rust", (output("rustc", "--version") or "rustc not known").split()[1]))
    return found
