import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { decode } from '../../services/core/records/codec.ts';
import type { RecordTypes } from '../../services/core/records/generated.ts';
import { defaultLimits } from '../../services/ports/provider-api/provider-api.ts';
import { type ReconcileContext, reconcileCommand } from '../../services/reconcile/command.ts';
import { createRegistry, reconcileMetrics } from '../../services/telemetry.ts';
import { createTestTime, deliveriesOf, endpoint, tenant, token } from '../edge/fixture.ts';
import { startInstallation } from '../installation.ts';
import {
  type CenturylinkStandIn,
  type ModelServer,
  newAccount,
  startCenturylink,
} from '../provider-api/centurylink.ts';

/** An installation of the tenant that owns the recorded account, and the API of a cloud in which that is. */
async function start(fields: Partial<ReconcileContext> = {}) {
  const time = createTestTime(Date.now());
  const tenants = [tenant({ roots: ['centurylink:ALTD'], endpoints: [endpoint({ account: 'ALTD' })] })];
  const installation = await startInstallation({ time, tenants });
  // The lane's time runs ahead of ours, so that nobody waits for it.
  const ticking = setInterval(() => {
    time.pass(1_000);
    installation.edge.tick();
  }, 10);
  onTestFinished(() => clearInterval(ticking));
  const cloud = await startCenturylink();
  const dataFolder = mkdtempSync(join(tmpdir(), 'hookwatch-reconcile-'));
  onTestFinished(() => rmSync(dataFolder, { recursive: true, force: true }));
  const registry = createRegistry('reconcile');
  const metrics = reconcileMetrics(registry);
  const ending = new AbortController();
  const run = async (...args: string[]) => {
    let out = '';
    let error = '';
    const context: ReconcileContext = {
      urls: async () => installation.urls,
      tenants,
      dataFolder,
      api: {
        baseUrl: cloud.url,
        username: cloud.username,
        password: cloud.password,
        tokenFolder: join(dataFolder, 'secrets'),
        limits: { callsPerSecondMax: 100_000, retryMsFirst: 1, retryMsMax: 5, attemptMsMax: 500, openMs: 50 },
      },
      metrics,
      logger: pino({ level: 'silent' }),
      serveStatus: async () => ({ async close() {} }),
      signal: ending.signal,
      laneLimits: { pollIntervalMs: 5, edgeMsMax: 300 },
      out: { write: (text) => (out += text) },
      error: { write: (text) => (error += text) },
      ...fields,
    };
    const code = await reconcileCommand(['--settle', '1s', ...args], async () => context);
    return { code, out, error };
  };
  const json = async (...args: string[]) => {
    const { code, out, error } = await run('--json', ...args);
    return { code, error, report: JSON.parse(out)[0] };
  };
  return { ...installation, time, cloud, dataFolder, registry, ending, run, json };
}

type Started = Awaited<ReturnType<typeof start>>;

/** Rows as the last version of each has them. */
async function rowsOf<K extends 'event' | 'reconciliation'>(kind: K, { outputs }: Started): Promise<RecordTypes[K][]> {
  const { first } = await outputs.bounds();
  const records = (await outputs.read(first, { records: 1e6, bytes: 1e9 })).map(({ frame }) => decode(frame));
  const newest = new Map<string, RecordTypes[K]>();
  for (const record of records) {
    if (record.kind === kind) newest.set((record.value as RecordTypes[K]).id, record.value as RecordTypes[K]);
  }
  return [...newest.values()];
}

const eventsOf = (started: Started) => rowsOf('event', started);

const serversOf = ({ cloud }: Started) => cloud.cloud.get('ALTD')!.servers;

function newServer({ cloud }: { cloud: CenturylinkStandIn }, id: string): ModelServer {
  const like = [...cloud.cloud.get('ALTD')!.servers.values()][0]!;
  const now = new Date(Date.now() + 1_000).toISOString().replace(/\.\d+/, '');
  const changeInfo = { createdBy: 'me', createdDate: now, modifiedBy: 'me', modifiedDate: now };
  const text = JSON.stringify({ ...like, changeInfo })
    .replaceAll(like.id, id)
    .replaceAll(like.name, id.toUpperCase());
  return JSON.parse(text);
}

test('the first comparison of a recorded cloud meets all of it, and nothing of it is news', async () => {
  const started = await start();
  const { code, report } = await started.json('--once');
  expect(code).toBe(0);
  const servers = serversOf(started).size;
  expect(servers).toBeGreaterThan(40);
  expect(report).toMatchObject({
    complete: true,
    bootstrap: true,
    tenant: 'northwind',
    host: new URL(started.cloud.url).host,
  });
  expect(report.accounts).toMatchObject([
    { account: 'centurylink:ALTD', servers, seen: servers + 1, missed_creations: 0 },
  ]);
  await expect.poll(async () => (await eventsOf(started)).length).toBe(servers + 1);
  const events = await eventsOf(started);
  expect(new Set(events.map(({ novelty }) => novelty))).toEqual(new Set(['seen']));
  expect(new Set(events.map(({ origin }) => origin))).toEqual(new Set(['reconcile']));
  expect(started.lane()).toMatchObject({ detections: [], ledger: { journaled: servers + 1, events: servers + 1 } });
  // What the alert on an overdue comparison reads.
  const compared = [{ provider: 'centurylink', at: Date.parse(report.started_at) }];
  await expect.poll(() => started.lane()?.compared).toEqual(compared);

  await started.run('--account', 'ALTD');
  expect(started.lane()?.compared).toEqual(compared);
  const again = await started.json('--once');
  expect(again.report).toMatchObject({ complete: true, bootstrap: false, claims: [] });
  expect(deliveriesOf(await started.edge.log.records())).toHaveLength(servers + 1);
});

test('what webhooks missed is told as they would have, once', async () => {
  const started = await start();
  await started.run('--once');
  const servers = serversOf(started);
  const [archived, gone] = [...servers.values()];
  // As recorded: everything but the modifiedDate changes.
  servers.set(archived!.id, { ...archived!, status: 'archived' });
  servers.delete(gone!.id);
  servers.set('de1altdnew01', newServer(started, 'de1altdnew01'));
  const { report } = await started.json();
  expect(report.accounts).toMatchObject([{ missed_creations: 1, missed_changes: 1, missed_deletions: 1, seen: 0 }]);
  expect(
    report.claims.map(({ event, subject }: { event: string; subject: string }) => [event, subject]).sort(),
  ).toEqual([
    ['Server.Created', 'DE1ALTDNEW01'],
    ['Server.Deleted', gone!.name],
    ['Server.Updated', archived!.name],
  ]);
  const told = deliveriesOf(await started.edge.log.records()).slice(-3);
  expect(new Set(told.map(({ headers }) => headers['hookwatch-run']))).toEqual(new Set([report.run]));
  expect(told.some(({ headers }) => 'hookwatch-bootstrap' in headers)).toBe(false);
  await expect
    .poll(async () => (await eventsOf(started)).filter(({ subject }) => subject === 'DE1ALTDNEW01'))
    .toMatchObject([{ type: 'centurylink.server.created', novelty: 'created', origin: 'reconcile' }]);
  const row = async () =>
    (await rowsOf('reconciliation', started)).find(({ run, account }) => run === report.run && account !== '');
  await expect.poll(row).toMatchObject({
    account: 'centurylink:ALTD',
    complete: true,
    bootstrap: false,
    servers_checked: serversOf(started).size,
    missed_creations: 1,
    missed_changes: 1,
    missed_deletions: 1,
    by_endpoint: { 'server-created': 1 },
  });
  expect((await started.json()).report.claims).toEqual([]);
});

test('what a webhook brings while it is compared is not told again', async () => {
  const started = await start();
  await started.run('--once');
  const added = newServer(started, 'de1altdnew01');
  serversOf(started).set(added.id, added);
  expect((await started.edge.post({ token, body: JSON.stringify(added) })).status).toBe(202);
  const { report } = await started.json();
  expect(report.claims).toEqual([]);
});

test('a dry run says what it would tell, and tells nothing', async () => {
  const started = await start();
  const before = (await started.edge.log.records()).filter(({ kind }) => kind === 'delivery').length;
  const { code, out } = await started.run('--dry-run');
  expect(code).toBe(0);
  expect(out).toMatch(/dry run: nothing was told/);
  expect((await started.edge.log.records()).filter(({ kind }) => kind === 'delivery')).toHaveLength(before);
  expect(readdirSync(join(started.dataFolder, 'reconcile', 'northwind-centurylink'))).toEqual(['writer.lock']);
});

describe('an API that does not answer as it should', () => {
  test('errors, lost and half answers, and a token that has expired, cost nothing but time', async () => {
    const started = await start();
    await started.run('--once');
    started.cloud.tokens.valid.clear();
    started.cloud.fail(
      { do: 'answer', status: 503, on: 'GET /v2/datacenters/ALTD/de1' },
      { do: 'cut', on: 'GET /v2/groups' },
      { do: 'reset', on: 'GET /v2/accounts' },
      { do: 'answer', status: 200, text: '<html>try later</html>', on: 'GET /v2/groups' },
      { do: 'stall', on: 'GET /v2/datacenters/ALTD' },
    );
    const { code, report } = await started.json();
    expect([code, report.complete, report.claims]).toEqual([0, true, []]);
    expect(started.cloud.tokens.given).toBe(2);
  });

  test('one that fails for good ends the command; the next one goes on with the same run', async () => {
    const started = await start();
    // As often as one call is tried.
    started.cloud.fail({ do: 'reset', on: 'GET /v2/groups', times: defaultLimits.attemptsMax });
    const failed = await started.run();
    expect(failed).toMatchObject({ code: 1, out: '' });
    expect(failed.error).toMatch(/northwind: failed: CenturyLink Cloud: GET \/groups/);
    const [, run] = /run (\S+):/.exec(failed.error)!;
    const { code, error, report } = await started.json();
    expect([code, report.run]).toEqual([0, run]);
    expect(error).toContain(`goes on with run ${run}`);
  });

  test('an answer that leads elsewhere is not followed', async () => {
    const elsewhere = await startCenturylink();
    const started = await start();
    const location = `${elsewhere.url}/accounts/ALTD`;
    started.cloud.fail({ do: 'answer', status: 302, headers: { location }, on: 'GET /v2/accounts', times: 9 });
    const { code, report } = await started.json();
    expect([code, report.complete]).toEqual([1, false]);
    expect(elsewhere.asked).toEqual([]);
  });

  test('no URL of a payload is called', async () => {
    const elsewhere = await startCenturylink();
    const started = await start();
    const server = [...serversOf(started).values()][0]!;
    const href = `${elsewhere.url}/servers/ALTD/${server.id}`;
    serversOf(started).set(server.id, {
      ...server,
      links: [
        { rel: 'self', href, id: href },
        { rel: 'server', href, id: href },
      ],
    });
    await started.run();
    expect(elsewhere.asked).toEqual([]);
  });

  test('credentials that are refused are said to be, and appear nowhere', async () => {
    const started = await start();
    const wrong = await start({
      api: { baseUrl: started.cloud.url, username: 'operator', password: 'not-the-right-one' },
    });
    const { code, out, error } = await wrong.run();
    expect([code, out]).toEqual([1, '']);
    expect(error).toMatch(/POST \/authentication\/login/);
    expect(error).not.toContain('not-the-right-one');
  });
});

test('the password and the token appear in no output, and in no file but that of the token', async () => {
  const started = await start();
  const { out, error } = await started.run('--json');
  const files = readdirSync(started.dataFolder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(started.dataFolder, name))
    .filter((file) => statSync(file).isFile());
  const secrets = [started.cloud.password, ...started.cloud.tokens.valid];
  expect(secrets.length).toBeGreaterThan(1);
  for (const secret of secrets) {
    expect(`${out}${error}`).not.toContain(secret);
    const holding = files.filter((file) => readFileSync(file).includes(secret));
    expect(holding.filter((file) => !file.startsWith(join(started.dataFolder, 'secrets')))).toEqual([]);
    for (const file of holding) expect(statSync(file).mode & 0o077).toBe(0);
  }
});

test('an edge that takes nothing ends the command, and what it has not taken is told by the next one', async () => {
  const started = await start();
  started.edge.log.fail(1_000);
  const failed = await started.run();
  expect(failed.code).toBe(1);
  expect(failed.error).toMatch(/answered 503/);
  started.edge.log.fail(0);
  const { code, report } = await started.json();
  expect([code, report.accounts[0].seen]).toEqual([0, serversOf(started).size + 1]);
});

test('a lane that nobody works on ends the command', async () => {
  const started = await start({
    urls: async () => ({ edgeInternalUrl: 'http://127.0.0.1:9', lanesUrls: ['http://127.0.0.1:9'] }),
  });
  const { code, error } = await started.run();
  expect(code).toBe(1);
  expect(error).toMatch(/Cannot ask lane northwind what it knows/);
});

test('two of them do not compare at once', async () => {
  const started = await start();
  const [one, other] = await Promise.all([started.run(), started.run()]);
  expect([one.code, other.code].sort()).toEqual([0, 1]);
  expect(`${one.error}${other.error}`).toMatch(/another process does/);
});

test.each([
  [['--every', '5x'], /Cannot compare every 5x/],
  [['--every', '30s'], /Cannot compare every 30s/],
  [['--every', '24h', '--once'], /--every goes with/],
  [['--settle', 'soon'], /Cannot wait for soon/],
  [['--account', 'A/B'], /--account must be an account alias/],
  [['--tenant', 'nobody'], /no tenant nobody/],
])('wrong usage: %j', async (args, message) => {
  const { code, error } = await (await start()).run(...args);
  expect(code).toBe(2);
  expect(error).toMatch(message);
});

test('the process that keeps running compares at once, is asked how it is, and ends when it is told to', async () => {
  let troubles = () => ['not asked'];
  const started = await start({
    serveStatus: async (asked) => {
      troubles = asked;
      return { async close() {} };
    },
  });
  started.cloud.fail({ do: 'answer', status: 302, headers: { location: '/' }, on: 'GET /v2/accounts', times: 2 });
  const running = started.run('--every', '24h');
  const exported = async (name: string, labels: Record<string, string> = {}) => {
    const { values } = await started.registry.getSingleMetric(name)!.get();
    const wanted = values.find((value) =>
      Object.entries(labels).every(([label, text]) => value.labels[label] === text),
    );
    return wanted?.value;
  };
  await expect.poll(() => exported('hookwatch_reconcile_runs_total', { outcome: 'incomplete' })).toBe(1);
  expect(troubles()).toEqual(['reconcile: northwind: some accounts were not compared; the log says which']);
  expect(await exported('hookwatch_reconcile_last_complete_seconds')).toBe(0);
  started.ending.abort();
  expect((await running).code).toBe(0);
});

test('an account that nobody knows, and whose parent is a root, is found by what waits for it; a stranger is not', async () => {
  const started = await start();
  await started.run();
  const bodyOf = (alias: string, id: string) =>
    JSON.stringify(newServer(started, id))
      .replaceAll(/accounts\/altd/gi, `accounts/${alias}`)
      .replaceAll(/servers\/altd/gi, `servers/${alias}`);
  expect((await started.edge.post({ body: bodyOf('FRESH', 'de1freshweb01') })).status).toBe(202);
  expect((await started.edge.post({ body: bodyOf('ALIEN', 'de1alienweb01') })).status).toBe(202);
  await expect.poll(() => started.lane()?.ledger?.pending).toBe(2);
  started.cloud.cloud.set('FRESH', newAccount('FRESH', { parentAlias: 'ALTD' }));
  started.cloud.cloud.set('ALIEN', newAccount('ALIEN', { parentAlias: 'ELSE' }));
  started.cloud.cloud.set('ELSE', newAccount('ELSE'));
  const { report } = await started.json();
  expect(report.accounts.map(({ account }: { account: string }) => account)).toEqual([
    'centurylink:ALTD',
    'centurylink:FRESH',
  ]);
  await expect.poll(() => started.lane()?.ledger?.pending).toBe(1);
  const events = await eventsOf(started);
  expect(
    events
      .filter(({ account }) => account === 'centurylink:FRESH')
      .map(({ type }) => type)
      .sort(),
  ).toEqual(['centurylink.account.updated', 'centurylink.server.created']);
  expect(events.some(({ account }) => account === 'centurylink:ALIEN')).toBe(false);
});

test('a webhook that comes after what it tells was recovered is linked to it: late, and not another event', async () => {
  const started = await start();
  await started.run();
  const added = newServer(started, 'de1altdnew01');
  serversOf(started).set(added.id, added);
  expect((await started.json()).report.claims).toHaveLength(1);
  const told = deliveriesOf(await started.edge.log.records()).length;
  await expect.poll(() => started.lane()?.ledger?.journaled).toBe(told);
  const before = started.lane()!.ledger!;
  expect((await started.edge.post({ body: JSON.stringify(added) })).status).toBe(202);
  await expect
    .poll(() => started.lane()?.ledger)
    .toMatchObject({ events: before.events, twins: before.twins + 1, pending: 0, rejects: 0 });
  const [event] = (await eventsOf(started)).filter(({ subject }) => subject === 'DE1ALTDNEW01');
  expect(event).toMatchObject({ origin: 'reconcile', endpoints: ['reconcile', 'server-created'] });
});
