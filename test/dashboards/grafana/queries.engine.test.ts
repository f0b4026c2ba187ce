/** Every query of the dashboards, as an analyst, over simulated data and over an empty database. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineProcess } from '../../ports/warehouse/engine-process.ts';
import { columnsOf, readableTypes } from './columns.ts';
import { clickhouseQueries, dashboards } from './dashboards.ts';
import { expand, type Selection } from './macros.ts';
import { accountLabelled, createdServers, finalOf, type Life, lifeMs, live, startMs } from './simulated.ts';
import { ask, everything, panel, type Row, startStockedEngine } from './stock.ts';

const lives = [live('acme', 3), live('globex', 4)];
const [acme, globex] = lives as [Life, Life];

const queries = [...dashboards.values()].flatMap(clickhouseQueries);

let full: EngineProcess;
let empty: EngineProcess;

beforeAll(async () => {
  [full, empty] = await Promise.all([startStockedEngine(lives), startStockedEngine([])]);
});
afterAll(async () => {
  await Promise.all([full?.dispose(), empty?.dispose()]);
});

async function rowsOf(name: string, selection: Selection = {}, range: Partial<typeof panel> = {}): Promise<Row[]> {
  const query = queries.find((candidate) => candidate.name === name);
  if (!query) throw new Error(`No query is called ${name}`);
  const { rows } = await ask(full, expand(query.sql, { ...panel, ...range }, { ...everything, ...selection }));
  return rows;
}

/** A query that counts answers with one row of zeros where others answer with none. */
const isNothing = (rows: Row[]) => rows.every((row) => Object.values(row).every((value) => value === 0));
const time = (ms: number) => new Date(ms).toISOString().replace('T', ' ').replace('Z', '');
const totalOf = (life: Life) => [...createdServers(life).values()].reduce((sum, servers) => sum + servers.size, 0);

describe.each(queries)('$name', ({ name, sql, series }) => {
  test('gives rows, with columns that its panel knows and types that the plug-in reads', async () => {
    const { columns, rows } = await ask(full, expand(sql, panel, everything));
    expect(columns).toEqual(columnsOf[name]);
    for (const [, type] of columns) expect(type).toMatch(readableTypes);
    expect(isNothing(rows)).toBe(false);
    if (!series) return;
    expect(columns[0]).toEqual(['time', "DateTime('UTC')"]);
    // The plug-in makes series of rows only where they come in the order of time.
    const times = rows.map((row) => String(row.time));
    expect(times).toEqual(times.toSorted());
  });

  test('gives nothing over an empty database, for tenants that do not exist, and at another time', async () => {
    expect(isNothing((await ask(empty, expand(sql, panel, everything))).rows)).toBe(true);
    const nobody = { ...everything, tenant: ["no'body", 'none'] };
    // The list of tenants does not depend on which are chosen.
    if (name !== 'variable tenant') expect(isNothing((await ask(full, expand(sql, panel, nobody))).rows)).toBe(true);
    const before = { ...panel, from: startMs - 86_400_000, to: startMs - 43_200_000 };
    expect(isNothing((await ask(full, expand(sql, before, everything))).rows)).toBe(true);
  });
});

test('servers created are counted once, in all and by tenant', async () => {
  const [all] = await rowsOf('panel Servers created/A');
  expect(all).toEqual({ servers: totalOf(acme) + totalOf(globex) });
  expect(await rowsOf('panel Servers created/A', { tenant: ['globex'] })).toEqual([{ servers: totalOf(globex) }]);
});

test('servers per account: the twenty with the most, and the others together', async () => {
  const rows = (await rowsOf('panel Servers created per account/A')) as { series: string; servers: number }[];
  const drawn = new Map<string, number>();
  for (const { series, servers } of rows) drawn.set(series, (drawn.get(series) ?? 0) + servers);
  const told = lives.flatMap((life) => [...createdServers(life)].map(([name, { size }]) => ({ name, size })));
  const ranked = told.sort((a, b) => b.size - a.size || (a.name < b.name ? -1 : 1));
  expect(ranked.length).toBeGreaterThan(20);
  const others = ranked.slice(20).reduce((sum, { size }) => sum + size, 0);
  const expected = [...ranked.slice(0, 20).map(({ name, size }) => [name, size] as const), ['others', others] as const];
  expect(drawn).toEqual(new Map(expected));
});

test('a coarser screen has fewer points and the same sum', async () => {
  const name = 'panel Servers created per account/A';
  const hourly = await rowsOf(name, { tenant: ['acme'] }, { intervalMs: 3_600_000 });
  expect(new Set(hourly.map((row) => row.time))).toEqual(new Set(['2026-01-05 09:00:00']));
  expect(hourly.reduce((sum, row) => sum + Number(row.servers), 0)).toBe(totalOf(acme));
});

test('servers within an hour: of the fraud, as many as it created', async () => {
  const fraud = accountLabelled(acme, 'fraud');
  const rows = await rowsOf('panel Servers created within an hour/A', { account: [fraud] });
  expect(new Set(rows.map((row) => row.series))).toEqual(new Set([fraud]));
  expect(Math.max(...rows.map((row) => Number(row.servers)))).toBe(createdServers(acme).get(fraud)?.size);
});

test('new accounts: the fraud first, near misses not detected, older accounts not among them', async () => {
  const rows = await rowsOf('panel New accounts, most servers first/A', { tenant: ['acme'] });
  const created = acme.items.filter(({ event }) => event === 'Account.Created');
  const names = new Set(created.map(({ account }) => `centurylink:${account}`));
  expect(new Set(rows.map((row) => row.account))).toEqual(names);
  expect(rows).toHaveLength(names.size);
  expect(await rowsOf('panel New accounts/A', { tenant: ['acme'] })).toEqual([{ accounts: names.size }]);
  const fraud = accountLabelled(acme, 'fraud');
  const servers = createdServers(acme).get(fraud)?.size;
  expect(rows[0]).toMatchObject({ account: fraud, servers_first_hour: servers, servers, detected: 1 });
  expect(rows.filter((row) => row.detected === 1)).toHaveLength(1);
  for (const label of ['near-miss:few-servers', 'near-miss:one-server', 'near-miss:repeats'] as const) {
    const account = accountLabelled(acme, label);
    const size = createdServers(acme).get(account)?.size ?? 0;
    expect(rows.find((row) => row.account === account)).toMatchObject({ servers_first_hour: size, detected: 0 });
  }
});

test('what rules found is what the flow says, and marks the charts', async () => {
  const detections = lives.flatMap((life) => finalOf(life, 'detection'));
  expect(detections.map(({ account }) => account)).toEqual(lives.map((life) => accountLabelled(life, 'fraud')));
  const rows = await rowsOf('panel What rules found/A');
  const byId = (a: Row, b: Row) => (String(a.id) < String(b.id) ? -1 : 1);
  const expected = detections.map((detection) => ({
    fired: time(detection.fired_at),
    tenant: detection.tenant,
    account: detection.account,
    severity: detection.severity,
    rule: detection.rule,
    title: detection.title,
    servers: detection.count,
    threshold: detection.threshold,
    within: detection.window_ms / 1000,
    took: (detection.fired_at - detection.started_at) / 1000,
    subjects: detection.subjects.join(', '),
    id: detection.id,
  }));
  expect(rows.sort(byId)).toEqual(expected.sort(byId));
  expect(await rowsOf('panel Detections/A')).toEqual([{ detections: detections.length }]);
  const [mark] = await rowsOf('annotation Detections', { tenant: ['acme'] });
  const [found] = finalOf(acme, 'detection');
  expect(mark).toEqual({
    time: time(found!.fired_at),
    text: `${found!.title}: ${found!.subjects.join(', ')}`,
    tags: `${found!.severity},${found!.rule}`,
  });
});

test('evidence: the raw bodies of the account and of each server that counted', async () => {
  const rows = await rowsOf('panel Evidence of the detections/A', { tenant: ['globex'] });
  const fraud = accountLabelled(globex, 'fraud');
  const bodies = globex.items
    .filter(({ account, event }) => `centurylink:${account}` === fraud && /^(?:Account|Server)\.Created$/.test(event))
    .map(({ body }) => body.toString());
  expect(rows.map((row) => row.body)).toEqual(bodies);
  expect(rows.map((row) => row.body_sha256)).toEqual(
    bodies.map((body) => createHash('sha256').update(body).digest('hex')),
  );
  expect(new Set(rows.map((row) => row.account))).toEqual(new Set([fraud]));
});

/** Episodes of a metric that were on at a time, as the flow has them, longest first. */
function onAt(atMs: number, metric?: string) {
  return lives
    .flatMap((life) => finalOf(life, 'episode'))
    .filter((episode) => metric === undefined || episode.metric === metric)
    .filter(({ opened_at, closed_at }) => opened_at <= atMs && (closed_at === null || closed_at > atMs))
    .map(({ account, server, opened_at }) => ({ account, server, length: (atMs - opened_at) / 1000 }))
    .sort((a, b) => b.length - a.length || (a.account + a.server < b.account + b.server ? -1 : 1));
}

describe.each([
  ['at the end', panel.to],
  // Most of them end later.
  ['in the middle', startMs + lifeMs / 3],
])('alerts that are on %s', (_, to) => {
  const at = Math.floor(to / 1000) * 1000;

  test.each(['cpu', 'memory'])('%s: longest first, as long as the flow says', async (metric) => {
    const rows = await rowsOf('panel Alerts that are on, longest first/A', { metric: [metric] }, { to });
    const expected = onAt(at, metric);
    expect(rows.map(({ account, server, length }) => ({ account, server, length }))).toEqual(expected);
    expect(rows.every((row) => row.metric === metric)).toBe(true);
  });

  test('are counted', async () => {
    expect(await rowsOf('panel Alerts that are on/A', {}, { to })).toEqual([{ alerts: onAt(at).length }]);
  });
});

test('some alerts are on at the end, and others in the middle', () => {
  const counts = [onAt(panel.to, 'cpu'), onAt(panel.to, 'memory'), onAt(startMs + lifeMs / 3)].map((on) => on.length);
  expect(Math.min(...counts)).toBeGreaterThan(0);
  expect(counts[2]).toBeGreaterThan(counts[0]! + counts[1]!);
});

test('alerts that have ended: longest first, as long as the flow says, and counted when they came and went', async () => {
  const ended = lives.flatMap((life) => finalOf(life, 'episode')).filter(({ length_ms }) => length_ms !== null);
  const rows = await rowsOf('panel Alerts that have ended, longest first/A');
  expect(rows.map((row) => row.length)).toEqual(ended.map(({ length_ms }) => length_ms! / 1000).sort((a, b) => b - a));
  const [opened, closed] = await Promise.all(
    ['A', 'B'].map((id) => rowsOf(`panel Alerts that came on and ended/${id}`)),
  );
  const sum = (list: Row[], column: string) => list.reduce((total, row) => total + Number(row[column]), 0);
  expect(sum(closed!, 'ended')).toBe(ended.length);
  expect(sum(opened!, 'opened')).toBe(lives.flatMap((life) => finalOf(life, 'episode')).length);
});

test('events by type are all events', async () => {
  const rows = await rowsOf('panel Events by type/A', { tenant: ['acme'] });
  const counted: Record<string, number> = {};
  for (const { series, events } of rows) counted[String(series)] = (counted[String(series)] ?? 0) + Number(events);
  const expected: Record<string, number> = {};
  for (const { type } of finalOf(acme, 'event')) expected[type] = (expected[type] ?? 0) + 1;
  expect(counted).toEqual(expected);
});

test('the lists to choose from: tenants, and the accounts of those that are chosen', async () => {
  expect(await rowsOf('variable tenant')).toEqual([{ tenant: 'acme' }, { tenant: 'globex' }]);
  const accounts = [...new Set(finalOf(acme, 'event').map(({ account }) => account))].sort();
  const rows = await rowsOf('variable account', { tenant: ['acme'] });
  expect(rows.map((row) => row.account)).toEqual(accounts);
});
