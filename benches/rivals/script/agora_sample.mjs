// Agora's published sample for the time after a reconnect, retold in code of our own, mistakes included: it compares
// the lists of a SNAPSHOT with a cached list, each publisher of the one with all of the other. Its times are JSON.
//
//     node agora_sample.mjs SNAPSHOTS COUNT
//
// SNAPSHOTS is a file of two SNAPSHOT lines. The first fills the cache, and the second is timed, COUNT times. Parsing
// is not timed: an SDK hands over an object.
import { readFileSync } from "node:fs";

/** Compares each listed topic with its cached list. The cache gets the new publishers, and never loses one. */
function snapshot(event, cache) {
  const joined = new Map();
  const left = new Map();
  for (const { topicName, publishers } of event.topicInfos) {
    const cached = cache.get(topicName) ?? [];
    const isListed = (user) => publishers.some(({ publisherUserId }) => publisherUserId === user);
    const isCached = (user) => cached.some(({ publisherUserId }) => publisherUserId === user);
    left.set(topicName, cached.filter(({ publisherUserId }) => !isListed(publisherUserId)));
    const fresh = publishers.filter(({ publisherUserId }) => !isCached(publisherUserId));
    joined.set(topicName, fresh);
    cached.push(...fresh);
    cache.set(topicName, cached);
  }
  return { joined, left };
}

/** The event with its first publishers only. */
function cut(event, count) {
  const topicInfos = event.topicInfos.map((info) => ({ ...info, publishers: info.publishers.slice(0, count) }));
  return { ...event, topicInfos };
}

function filled(event) {
  return new Map(event.topicInfos.map(({ topicName, publishers }) => [topicName, [...publishers]]));
}

const [path, count] = process.argv.slice(2);
const [before, after] = readFileSync(path, "utf8").trim().split("\n").map((line) => JSON.parse(line));
// The engine compiles the loops before they are timed.
for (let turn = 0; turn < 5; turn += 1) snapshot(cut(after, 1000), filled(cut(before, 1000)));
const times = [];
for (let turn = 0; turn < Number(count); turn += 1) {
  const cache = filled(before);
  const start = process.hrtime.bigint();
  const { joined, left } = snapshot(after, cache);
  times.push(Number(process.hrtime.bigint() - start) / 1000);
  const differences = Math.floor(before.topicInfos[0].publishers.length / 300);
  for (const found of [joined, left]) {
    if (found.get("chat").length !== differences) throw new Error("the sample found other differences");
  }
}
times.sort((a, b) => a - b);
console.log(JSON.stringify({ count: times.length, p50_us: times[Math.floor((times.length - 1) / 2)] }));
