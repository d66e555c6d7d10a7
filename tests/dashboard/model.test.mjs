/** The pure parts of the dashboard, in Node: stays and lanes, occupancy, times, addresses, and the case file. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { caseOf, pieces, surest, totals } from '../../src/server/dashboard/evidence.js';
import { Model, gapOf, stayOf, within } from '../../src/server/dashboard/model.js';
import { Occupancy } from '../../src/server/dashboard/occupancy.js';
import { read, write } from '../../src/server/dashboard/place.js';
import { DAY, HOUR, duration, moment, stamp, ticks, typed } from '../../src/server/dashboard/times.js';
import { Rollbook } from '../bridge/rollbook.mjs';
import { SAMPLE, answeredRoster, chance } from './browser.mjs';

let rollbook, sessions, history, gaps;

before(async () => {
  rollbook = await Rollbook.start({ ingested: [SAMPLE] });
  [sessions, history, gaps] = await Promise.all([rollbook.ask('sessions', 'studio-7'), rollbook.ask('history', 'studio-7'), rollbook.ask('gaps', 'studio-7')]);
});

after(() => rollbook?.remove());

const whole = () => new Model(sessions.map(stayOf));

/** What a model says, for comparing. */
const said = (model) => model.lanes().flatMap(({ topic, user, connection, stays }) => stays.map((stay) =>
  [topic, user, connection, stay.start, stay.startsAfter, stay.end, stay.endsAfter, stay.baseline]));

test('entries make the same stays as the answer, at whatever entry the answer ends', async () => {
  for (const known of [0, 20, 50, 97, history.length]) {
    // What was known after so many entries: the stays that these make.
    const model = new Model();
    for (const entry of history.slice(0, known)) model.apply(entry);
    // The seam: entries that the answer already had come again.
    for (const entry of history.slice(Math.max(0, known - 30))) model.apply(entry);
    assert.deepEqual(said(model), said(whole()), `seam at ${known}`);
  }
  const again = whole();
  for (const entry of history) assert.equal(again.apply(entry), false, JSON.stringify(entry));
});

test('the least, recorded and most of a moment are those of its roster', async () => {
  const counts = new Occupancy(whole());
  const next = chance();
  const [from, to] = [moment(history[0].effective_at), moment(history.at(-1).effective_at)];
  for (let tried = 0; tried < 50; tried += 1) {
    const at = Math.round(from + next() * (to - from));
    const [who] = await rollbook.ask('who', 'studio-7', '--at', new Date(at).toISOString());
    const roster = answeredRoster(who);
    const { least, known, most } = counts.at(at);
    assert.equal(most, roster.length, who.at);
    assert.equal(least, roster.filter(([, , , certainty]) => certainty !== 'possible').length, who.at);
    assert.ok(least <= known && known <= most);
  }
});

test('the peak is the one of stats', async () => {
  const [{ peak }] = await rollbook.ask('stats', 'studio-7');
  const found = new Occupancy(whole()).peak(-Infinity, Infinity);
  assert.deepEqual([found.known, new Date(found.at).toISOString()], [peak.count, peak.at]);
});

test('columns have the extremes of what lies in them', () => {
  const counts = new Occupancy(whole());
  const [from, to] = [counts.times[0] - 1000, counts.times.at(-1) + 1000];
  for (const parts of [1, 7, 200, 5000]) {
    const columns = counts.columns(from, to, parts);
    assert.equal(Math.max(...columns.high), counts.peak(from, to).known);
    assert.equal(Math.max(...columns.most), Math.max(...counts.most));
    for (let part = 0; part < parts; part += 1) assert.ok(columns.least[part] <= columns.low[part] && columns.high[part] <= columns.most[part]);
  }
});

test('a member whose two windows meet counts once', () => {
  const stay = (start, startsAfter, end, endsAfter) => ({ channel: 'c', topic: 't', user: 'u', connection: '', start, startsAfter, end, endsAfter, baseline: false, joinSeen: false, leaveSeen: false, leastMs: 0, mostMs: null });
  const counts = new Occupancy(new Model([stay(10, null, 30, 20), stay(40, 20, null, null)]));
  assert.deepEqual([5, 15, 25, 35, 45].map((at) => Object.values(counts.at(at))), [[0, 0, 0], [1, 1, 1], [0, 1, 1], [0, 0, 1], [1, 1, 1]]);
});

test('stays in view are found by halving', () => {
  const lane = whole().lanes().find(({ topic, user }) => topic === 'chat' && user === 'ben').stays;
  for (const [from, to] of [[-1, 0], [lane[0].start, lane[0].start], [lane[0].end + 1, lane[1].start - 1], [0, 1e15]]) {
    const [first, last] = within(lane, from, to);
    assert.deepEqual(lane.slice(first, last), lane.filter((stay) => (stay.startsAfter ?? stay.start) <= to && (stay.end ?? Infinity) >= from));
  }
});

test('times are read and written', () => {
  const now = Date.UTC(2026, 4, 14, 12);
  const beside = Date.UTC(2026, 4, 1, 3);
  for (const [text, at] of [
    ['2026-05-14', Date.UTC(2026, 4, 14)], ['2026-05-14 20:45', Date.UTC(2026, 4, 14, 20, 45)], ['2026-05-14T20:45:00.5Z', Date.UTC(2026, 4, 14, 20, 45, 0, 500)],
    ['2026-05-14T20:45:00+02:00', Date.UTC(2026, 4, 14, 18, 45)], ['20:45', Date.UTC(2026, 4, 1, 20, 45)], ['9:05', Date.UTC(2026, 4, 1, 9, 5)], ['-90m', now - 90 * 60_000],
    ['@1700000000000', 1_700_000_000_000], ['soon', null], ['2026-13-40', null],
  ]) assert.equal(typed(text, beside, now), at, text);
  assert.equal(stamp(Date.UTC(2026, 4, 14, 20, 45, 0, 7)), '2026-05-14 20:45:00.007');
  assert.deepEqual([0, 61_000, 461_659, 3 * DAY + HOUR, 500 * DAY].map(duration), ['0 ms', '1 min 1 s', '7 min 41 s', '3 d 1 h', '1 y 134 d']);
});

test('an axis has few ticks, whether it spans milliseconds or centuries', () => {
  for (let span = 5; span < 2000 * 365.25 * DAY; span *= 3.1) {
    const found = ticks(1.7e12, 1.7e12 + span, 10);
    assert.ok(found.length >= 1 || span < 10 || span > 1e10, `${span}: ${found.length}`);
    assert.ok(found.length <= 14, `${span}: ${found.length}`);
    assert.ok(found.every(({ at }) => at >= 1.7e12 && at <= 1.7e12 + span));
  }
});

test('an address holds the whole view, whatever a name is made of', () => {
  for (const name of ['studio-7', 'a/b?c#d&e=%41', '<img src=x onerror=alert(1)>', 'kim🎈', 'שלום', '..', ' ', '%']) {
    const place = { page: 'channel', name, from: 1, to: 1_700_000_000_000, at: 5, known: 7, q: '#?&', fit: true };
    assert.deepEqual(read(write(place)), place);
    assert.deepEqual(read(write({ page: 'person', name, channel: name })), { page: 'person', name, channel: name });
  }
  assert.deepEqual(read(''), { page: 'channels', name: '' });
  assert.deepEqual(read('#/channel/%ZZ?at=never').name, '%ZZ');
});

test('the case file tells certain, assumed and possible apart as who does', async () => {
  const spans = gaps.map(gapOf);
  // And behind the last entry, where those who stayed are assumed to be there.
  const [from, to] = [moment(history[0].effective_at), moment(history.at(-1).effective_at) + 1_800_000];
  const [{ last_proof }] = await rollbook.ask('who', 'studio-7');
  const next = chance(3);
  for (const user of ['hana', 'ben', 'ana', 'oda']) {
    const own = sessions.filter((row) => row.user === user).map(stayOf);
    const found = surest(own.flatMap((stay) => pieces(stay, spans, from, to, moment(last_proof))));
    for (let tried = 0; tried < 12; tried += 1) {
      const at = Math.round(from + next() * (to - from));
      const [who] = await rollbook.ask('who', 'studio-7', '--at', new Date(at).toISOString());
      const seen = answeredRoster(who).filter(([, name]) => name === user).map(([, , , certainty]) => certainty);
      const best = ['certain', 'assumed', 'possible'].find((kind) => seen.includes(kind));
      assert.equal(found.find((piece) => piece.from <= at && at < piece.to)?.kind, best, `${user} at ${who.at}`);
    }
    assert.ok(Object.values(totals(found)).reduce((a, b) => a + b) <= to - from);
  }
});

test('the case file has each entry of a person once, and says what stays open', () => {
  const entries = history.filter((entry) => entry.user === 'hana');
  const material = { channel: 'studio-7', stays: sessions.filter((row) => row.user === 'hana').map(stayOf), gaps: gaps.map(gapOf), entries,
    snapshots: history.filter(({ type }) => type === 'snapshot'), proven: null, from: moment(history[0].effective_at), to: moment(history.at(-1).effective_at) };
  const { facts } = caseOf(material);
  assert.deepEqual(facts.map(({ seq }) => seq).filter((seq) => seq !== null), entries.map(({ seq }) => seq));
  assert.equal(facts.filter(({ side, text }) => side === 'open' && text.startsWith('Gap')).length, 2);
  assert.ok(facts.some(({ side, text }) => side === 'for' && text.includes('contradict')));
  assert.ok(facts.some(({ side, text }) => side === 'against' && text.includes('did not show them')));
});
