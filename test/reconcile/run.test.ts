import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createCenturylinkEstate } from '../../services/reconcile/centurylink.ts';
import { openProgress, trialProgress } from '../../services/reconcile/progress.ts';
import { type RunOptions, reconcile } from '../../services/reconcile/run.ts';
import { RunError } from '../../services/reconcile/run-error.ts';
import { createWorld, failure, type World, type WorldOptions } from './world.ts';

function start(fields: Partial<WorldOptions> = {}) {
  const world = createWorld({ accounts: ['ROOT', 'SUB'], ...fields });
  const dataFolder = mkdtempSync(join(tmpdir(), 'hookwatch-reconcile-'));
  onTestFinished(() => rmSync(dataFolder, { recursive: true, force: true }));
  const progress = openProgress(dataFolder, 'northwind', 'centurylink');
  let runs = 0;
  const run = (options: Partial<RunOptions> = {}) =>
    reconcile({
      tenant: 'northwind',
      roots: ['centurylink:ROOT'],
      estate: createCenturylinkEstate(world.inventory, 'api.ctl.io'),
      known: world.known,
      lane: world.lane,
      progress,
      nowMs: world.nowMs,
      newRunId: () => `run-${++runs}`,
      ...options,
    });
  return { world, run, progress };
}

/** Compared once, so that what follows is no bootstrap. */
async function startCompared(fields: Partial<WorldOptions> = {}) {
  const started = start(fields);
  started.world.create('ROOT', 'OLD');
  started.world.create('SUB', 'WEB');
  started.world.quiet();
  await started.run();
  started.world.told.length = 0;
  started.world.documents.length = 0;
  started.world.quiet();
  return started;
}

const toldOf = (world: World) =>
  world.told.map(({ eventName, body }) => `${eventName} ${JSON.parse(body).name}`).sort();

describe('the first comparison', () => {
  test('whatever is met is seen: nothing was created, changed or missed', async () => {
    const { world, run } = start();
    world.create('SUB', 'UNHEARD', { lost: true });
    world.create('SUB', 'HEARD');
    world.quiet();
    const report = await run();
    expect(toldOf(world)).toEqual(['Account.Updated undefined', 'Account.Updated undefined', 'Server.Updated UNHEARD']);
    expect(world.told.every(({ bootstrap }) => bootstrap)).toBe(true);
    expect(report).toMatchObject({ complete: true, bootstrap: true });
    expect(
      report.accounts.map(({ missed_creations, missed_changes, seen }) => [missed_creations, missed_changes, seen]),
    ).toEqual([
      [0, 0, 1],
      [0, 0, 2],
    ]);
  });

  test('a root that is new is a first comparison of what is below it, and of nothing else', async () => {
    const { world, run } = await startCompared({ accounts: ['ROOT', 'SUB', 'OTHER'] });
    world.create('OTHER', 'THERE', { lost: true });
    world.create('SUB', 'NEW', { lost: true });
    world.quiet();
    await run({ roots: ['centurylink:ROOT', 'centurylink:OTHER'] });
    expect(world.told.map(({ eventName, bootstrap, body }) => [eventName, bootstrap, JSON.parse(body).name])).toEqual([
      ['Server.Updated', true, 'THERE'],
      ['Server.Created', false, 'NEW'],
    ]);
  });
});

describe('what was missed is told once', () => {
  test('a creation, a change, a deletion, and a name that was given anew', async () => {
    const { world, run } = await startCompared();
    world.create('SUB', 'NEW', { lost: true });
    world.change('SUB', 'WEB', { cpu: 16 }, { lost: true });
    world.remove('ROOT', 'OLD', { lost: true });
    world.quiet();
    const report = await run();
    expect(toldOf(world)).toEqual(['Server.Created NEW', 'Server.Deleted OLD', 'Server.Updated WEB']);
    expect(report.accounts).toMatchObject([
      { account: 'centurylink:ROOT', servers: 0, missed_deletions: 1 },
      { account: 'centurylink:SUB', servers: 2, missed_creations: 1, missed_changes: 1 },
    ]);
    expect(world.told.find(({ eventName }) => eventName === 'Server.Deleted')).toMatchObject({
      account: 'centurylink:ROOT',
      body: '{"accountAlias":"ROOT","name":"OLD"}',
    });
    expect(world.state()).toEqual(world.truth());
    world.quiet();
    const again = await run();
    expect(world.told).toHaveLength(3);
    expect(again.claims).toEqual([]);

    world.remove('SUB', 'NEW', { lost: true });
    world.quiet();
    world.create('SUB', 'NEW', { lost: true });
    world.quiet();
    await run();
    expect(toldOf(world).filter((text) => text.endsWith('NEW'))).toEqual(['Server.Created NEW', 'Server.Created NEW']);
  });

  test('an archive under an unchanged modifiedDate, as the provider makes it', async () => {
    const { world, run } = await startCompared();
    world.change('SUB', 'WEB', { status: 'archived', cpu: 0, depth: 2 }, { lost: true, untouched: true });
    world.quiet();
    await run();
    expect(toldOf(world)).toEqual(['Server.Updated WEB']);
  });

  test('what is older than the last comparison was not created since: it is seen', async () => {
    const { world, run } = await startCompared();
    world.cloud.get('SUB')!.set('MOVED-IN', { ...world.cloud.get('SUB')!.get('WEB')!, name: 'MOVED-IN' });
    const report = await run();
    expect(toldOf(world)).toEqual(['Server.Updated MOVED-IN']);
    expect(report.accounts[1]).toMatchObject({ missed_creations: 0, seen: 1 });
  });
});

describe('what a webhook tells is not claimed', () => {
  test('one that is on its way while the account is walked', async () => {
    const { world, run } = await startCompared();
    world.create('SUB', 'NEW', { lag: 25 });
    world.change('SUB', 'WEB', { cpu: 4 }, { lag: 25 });
    world.remove('ROOT', 'OLD', { lag: 25 });
    const report = await run();
    expect(world.told).toEqual([]);
    expect(report.accounts.every(({ missed_deletions }) => missed_deletions === 0)).toBe(true);
  });

  test('a snapshot that was missed, and was followed by one that was told', async () => {
    let armed = false;
    const { world, run } = await startCompared({
      meanwhile(world, call) {
        if (call !== 'wait' || !armed) return;
        armed = false;
        // The same modifiedDate: only the order in which they were asked for tells which is newer.
        world.change('SUB', 'WEB', { depth: 1 }, { untouched: true });
      },
    });
    armed = true;
    world.change('SUB', 'WEB', { status: 'archived' }, { lost: true });
    world.quiet();
    const report = await run();
    expect(world.told).toEqual([]);
    expect(world.state()).toEqual(world.truth());
    expect(report.accounts[1]!.unsettled).toBe(1);
  });

  test('what changes while it is looked at is left to its webhook', async () => {
    let armed = false;
    const { world, run } = await startCompared({
      meanwhile(world, call) {
        if (call !== 'wait' || !armed) return;
        armed = false;
        world.change('SUB', 'WEB', { cpu: 8 }, { lost: true });
      },
    });
    armed = true;
    world.change('SUB', 'WEB', { cpu: 4 }, { lost: true });
    world.quiet();
    expect((await run()).accounts[1]).toMatchObject({ missed_changes: 0, unsettled: 1 });
    expect((await run()).accounts[1]).toMatchObject({ missed_changes: 1, unsettled: 0 });
    expect(world.state()).toEqual(world.truth());
  });
});

describe('a deletion is claimed only where nothing speaks against it', () => {
  test('a server that moves while it is walked, so that no answer shows it', async () => {
    const { world, run } = await startCompared({
      meanwhile(world, call) {
        const server = world.cloud.get('SUB')!.get('WEB');
        if (server && call === 'group SUB root-DE1') server.location = 'WA1';
        if (server && call === 'group SUB root-WA1') server.location = 'DE1';
      },
    });
    await run();
    expect(toldOf(world).filter((text) => text.startsWith('Server.Deleted'))).toEqual([]);
  });

  test('404 of everything, the account among it: a right that was lost', async () => {
    let lost = false;
    const { world, run } = await startCompared();
    const { inventory } = world;
    const blind = createCenturylinkEstate(
      {
        ...inventory,
        account: async (alias) => (lost && alias === 'SUB' ? undefined : inventory.account(alias)),
        server: async (alias, id) => (alias === 'SUB' ? undefined : inventory.server(alias, id)),
        group: async (alias, id) => {
          const tree = await inventory.group(alias, id);
          if (alias === 'SUB') lost = true;
          return tree && alias === 'SUB'
            ? { ...tree, value: { ...tree.value, servers: [], groups: [], serversCount: 0 } }
            : tree;
        },
      },
      'api.ctl.io',
    );
    await run({ estate: blind });
    expect(world.told).toEqual([]);
  });

  test('an account that is not walked whole keeps all deletions from being claimed', async () => {
    let broken = false;
    const { world, run } = await startCompared({
      meanwhile(_, call) {
        if (broken && call === 'group SUB root-WA1') throw failure('FAILED');
      },
    });
    broken = true;
    world.remove('ROOT', 'OLD', { lost: true });
    world.create('SUB', 'NEW', { lost: true });
    world.create('ROOT', 'NEWER', { lost: true });
    world.quiet();
    const report = await run();
    // What is there is told all the same: only absence needs the whole.
    expect(toldOf(world)).toEqual(['Server.Created NEWER']);
    expect(report).toMatchObject({ complete: false });
    expect(report.accounts[0]).toMatchObject({ complete: true, withheld: 1 });
    expect(report.accounts[1]).toMatchObject({ complete: false, problem: 'the API answered FAILED' });
    expect(world.documents.map(({ phase }) => phase)).toEqual(['begin', 'failed']);
    expect(world.documents[1]!.accounts).toEqual([
      { account: 'centurylink:ROOT', servers: 1, complete: true },
      { account: 'centurylink:SUB', servers: 0, complete: false },
    ]);
  });

  test('too many at once wait for people', async () => {
    const names = Array.from({ length: 40 }, (_, number) => `S${number}`);
    const { world, run } = await startCompared();
    for (const name of names) world.create('SUB', name);
    world.quiet();
    for (const name of names.slice(0, 21)) world.remove('SUB', name, { lost: true });
    world.quiet();
    const report = await run();
    expect(world.told).toEqual([]);
    expect(report.accounts[1]).toMatchObject({ withheld: 21, missed_deletions: 0 });
    await run({ allDeletions: true });
    expect(world.told).toHaveLength(21);
  });

  test('an account is deleted where the roots are shown; its servers end with it', async () => {
    const { world, run } = await startCompared();
    world.cloud.delete('SUB');
    await run();
    expect(world.told.map(({ eventName, body }) => [eventName, body])).toEqual([
      ['Account.Deleted', '{"accountAlias":"SUB"}'],
    ]);
  });

  test('a root is never deleted: the comparison has failed', async () => {
    const { world, run } = await startCompared();
    world.cloud.delete('ROOT');
    const report = await run();
    expect(world.told).toEqual([]);
    expect(report.accounts[0]!.problem).toMatch(/root account ROOT is not found/);
  });

  test('what a webhook has told to be deleted, and the API shows, is a contradiction and nothing more', async () => {
    const { world, run } = await startCompared();
    const server = world.cloud.get('SUB')!.get('WEB')!;
    world.remove('SUB', 'WEB');
    world.quiet();
    world.cloud.get('SUB')!.set('WEB', server);
    const report = await run();
    expect(world.told).toEqual([]);
    expect(report.accounts[1]).toMatchObject({ contradictions: 1 });
  });
});

describe('whose accounts are walked', () => {
  test('one that waits to be told of is asked for, and walked where it is below a root', async () => {
    const { world, run } = await startCompared();
    world.cloud.set('FRESH', new Map());
    world.create('FRESH', 'A', { lost: true });
    world.quiet();
    const known = {
      ...world.known,
      accounts: async () => ({ accounts: ['centurylink:SUB'], pending: ['centurylink:FRESH', 'centurylink:STRANGER'] }),
    };
    const report = await run({ known });
    expect(report.accounts.map(({ account }) => account)).toEqual([
      'centurylink:ROOT',
      'centurylink:SUB',
      'centurylink:FRESH',
    ]);
    expect(toldOf(world)).toEqual(['Account.Updated undefined', 'Server.Created A']);
  });

  test("a stranger's account, which may not be seen, is none of ours", async () => {
    const { world, run } = await startCompared({
      meanwhile(_, call) {
        if (call === 'account STRANGER') throw failure('FORBIDDEN');
      },
    });
    const known = { ...world.known, accounts: async () => ({ accounts: [], pending: ['centurylink:STRANGER'] }) };
    const report = await run({ known });
    expect(report.accounts.map(({ account }) => account)).toEqual(['centurylink:ROOT']);
    expect(report.complete).toBe(true);
  });

  test('only those that are asked for; the whole is not compared by it', async () => {
    const { world, run, progress } = await startCompared();
    const before = progress.memory();
    world.remove('ROOT', 'OLD', { lost: true });
    world.remove('SUB', 'WEB', { lost: true });
    world.quiet();
    const report = await run({ only: ['centurylink:SUB'] });
    expect(toldOf(world)).toEqual(['Server.Deleted WEB']);
    expect(report).toMatchObject({ scope: 'some', complete: true });
    expect(progress.memory()).toEqual(before);
  });
});

test('what an edge will not take keeps nothing else from being told', async () => {
  const { world, run } = await startCompared();
  for (const name of ['NEW', 'LONG', 'NEWER']) world.create('SUB', name, { lost: true });
  world.quiet();
  const lane: RunOptions['lane'] = {
    ...world.lane,
    async tell(claim) {
      if (claim.body.includes('LONG')) throw new RunError('REFUSED', 'it answered 413');
      await world.lane.tell(claim);
    },
  };
  const report = await run({ lane });
  expect(toldOf(world)).toEqual(['Server.Created NEW', 'Server.Created NEWER']);
  expect(report).toMatchObject({ complete: true });
  expect(report.accounts[1]).toMatchObject({ missed_creations: 2, withheld: 1 });
});

test('a dry run tells nobody, and leaves nothing behind', async () => {
  const { world, run, progress } = await startCompared();
  world.create('SUB', 'NEW', { lost: true });
  world.quiet();
  const before = progress.memory();
  const lane = { ...world.lane, tell: async () => {}, announce: async () => {} };
  const report = await run({ dryRun: true, lane, progress: trialProgress(progress) });
  expect(report.claims).toEqual([{ event: 'Server.Created', account: 'centurylink:SUB', subject: 'NEW' }]);
  expect([world.told, progress.memory(), progress.head()]).toEqual([[], before, undefined]);
  await run();
  expect(toldOf(world)).toEqual(['Server.Created NEW']);
});

test('a run that was interrupted long ago is given up, and said to be', async () => {
  let broken = false;
  const { world, run, progress } = await startCompared({
    meanwhile(_, call) {
      if (broken && call === 'group SUB root-WA1') throw failure('UNREACHABLE');
    },
  });
  broken = true;
  await expect(run()).rejects.toMatchObject({ code: 'PROVIDER_UNAVAILABLE', retryHelps: true });
  const { run: interrupted } = progress.head()!;
  broken = false;
  world.pass(7 * 3600);
  const report = await run();
  expect(report.run).not.toBe(interrupted);
  expect(world.documents.map((document) => [document.run, document.phase])).toEqual([
    [interrupted, 'begin'],
    [interrupted, 'failed'],
    [report.run, 'begin'],
    [report.run, 'complete'],
  ]);
});
