"""DuckDB: the import of a file of JSON lines, and the questions in SQL. A process of its own for each work, like the
other contenders; it needs the package `duckdb`. Starting Python and loading the package are not timed.

    duck.py version
    duck.py import EVENTS FOLDER SHAPE
    duck.py ask FOLDER QUESTIONS WHAT COUNT ANSWERS
"""

import json
import os
import sys
import time

import duckdb

THREADS = 2

OWN = """
CREATE TABLE events AS SELECT t AS kind, ts, channel, topic, "user", meta, topics
FROM read_json(?, format = 'newline_delimited', columns = {
    t: 'VARCHAR', ts: 'BIGINT', channel: 'VARCHAR', topic: 'VARCHAR', "user": 'VARCHAR', meta: 'JSON', topics: 'JSON'})
"""
AGORA = """
CREATE TABLE events AS SELECT
    CASE eventType WHEN 'REMOTE_JOIN' THEN 'join' WHEN 'REMOTE_LEAVE' THEN 'leave' END AS kind,
    "timestamp" AS ts, channelName AS channel, topicInfos[1].topicName AS topic, publisher AS "user",
    topicInfos[1].publishers[1].publisherMeta AS meta
FROM read_json(?, format = 'newline_delimited', columns = {
    eventType: 'VARCHAR', channelName: 'VARCHAR', publisher: 'VARCHAR', "timestamp": 'BIGINT',
    topicInfos: 'STRUCT(topicName VARCHAR, publishers STRUCT(publisherUserId VARCHAR, publisherMeta VARCHAR)[])[]'})
"""

# Rows keep the order of their lines, and `rowid` counts them: a column for that would only cost time.
WHO = """
SELECT topic, "user" FROM events WHERE channel = ? AND ts <= ?
GROUP BY topic, "user" HAVING arg_max(kind, rowid) <> 'leave'
"""
STAYS = """
WITH steps AS (
    SELECT channel, topic, "user", ts, rowid AS seq, kind <> 'leave' AS here,
        lag(kind <> 'leave', 1, false) OVER (PARTITION BY channel, topic, "user" ORDER BY rowid) AS was
    FROM events {where}
), edges AS (
    SELECT ts, here, lead(ts) OVER (PARTITION BY channel, topic, "user" ORDER BY seq) AS until
    FROM steps WHERE here <> was
) SELECT count(*), count(until), coalesce(sum(until - ts), 0)::BIGINT FROM edges WHERE here
"""


def connect(folder):
    """The database of a folder. Its threads are as many as the other contenders may use."""
    return duckdb.connect(os.path.join(folder, "duckdb"), config={"threads": THREADS})


def import_events(events, folder, shape):
    """From the bytes of a file to what is durable and closed."""
    start = time.perf_counter()
    database = connect(folder)
    database.execute(OWN if shape == "own" else AGORA, [events])
    count = database.execute("SELECT count(*) FROM events").fetchone()[0]
    database.close()
    return {"count": count, "seconds": time.perf_counter() - start}


def answer(database, question, what):
    """The answer to one question, as Rollbook and SQLite give theirs."""
    if what == "who":
        return database.execute(WHO, [question["channel"], question["at"]]).fetchall()
    if what == "stays":
        where = "WHERE channel = ?"
        return database.execute(STAYS.format(where=where), [question["channel"]]).fetchone()
    return database.execute(STAYS.format(where="")).fetchone()


def ask(folder, questions, what, count, answers):
    """All questions, the first one twice: once to open what is opened once."""
    with open(questions, encoding="utf-8") as lines:
        asked = [json.loads(line) for line in lines][: int(count)]
    database = connect(folder)
    times, texts = [], []
    for turn, question in enumerate(asked[:1] + asked):
        start = time.perf_counter()
        given = answer(database, question, what)
        if turn:
            times.append((time.perf_counter() - start) * 1e6)
            texts.append(given if what != "who" else sorted(given))
    database.close()
    with open(answers, "w", encoding="utf-8") as out:
        out.writelines(json.dumps(text, ensure_ascii=False, separators=(",", ":")) + "\n" for text in texts)
    times.sort()
    at = lambda percent: times[max(-(-len(times) * percent // 100) - 1, 0)]
    return {"count": len(times), "p50_us": at(50), "p99_us": at(99)}


def main():
    work, *rest = sys.argv[1:]
    works = {"version": lambda: {"version": duckdb.__version__}, "import": import_events, "ask": ask}
    print(json.dumps(works[work](*rest)))


if __name__ == "__main__":
    main()
