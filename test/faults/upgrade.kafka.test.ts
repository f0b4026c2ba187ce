/**
 * Another version of the flow takes over the lanes, and the first one takes them back, with workers of both at work side
 * by side: every record is worked on by the version whose turn it is, and by no other.
 */
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import pino from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { loadConfig } from '../../services/config.ts';
import type * as FlowModule from '../../services/core/flow/flow.ts';
import type * as StateModule from '../../services/core/flow/state.ts';
import type { LaneStatus } from '../../services/core/flow/summary.ts';
import * as takeovers from '../../services/core/flow/takeover.ts';
import { decode } from '../../services/core/records/codec.ts';
import { connectLanes } from '../../services/kafka-lanes.ts';
import type { Log } from '../../services/ports/log/log.ts';
import { startKafka } from '../kafka/broker.ts';
import { entry } from '../supervisor/installation.ts';
import { type ClusterProcess, createCluster } from './cluster.ts';
import { expectSameSet, lastPositions, putOut } from './lanes.ts';
import { startSender } from './provider.ts';
import { textOfOutput } from './recomputation.ts';
import { makeVersion } from './version.ts';

const tenants = ['amber', 'birch'];
const patience = { timeout: 60_000, interval: 100 };

test('another version takes over and gives back, old and new workers side by side', { timeout: 240_000 }, async () => {
  const changed = makeVersion();
  const kafka = await startKafka();
  onTestFinished(kafka.dispose);
  const cluster = createCluster({
    bootstrap: kafka.bootstrap,
    prefix: 'versions',
    tenants,
    partitions: 2,
    env: { HOOKWATCH_CHECKPOINT_SECONDS: '2' },
  });
  onTestFinished(cluster.dispose);
  expect(await cluster.run(['topics', '--apply'])).toMatchObject({ code: 0 });
  const edge = await cluster.start('edge', { name: 'edge-1' });
  // Whoever comes first has the lanes; the other one waits, and changes nothing.
  const first = await cluster.start('worker');
  await vi.waitFor(async () => expect(await workedOnBy(first)).toEqual(tenants), patience);
  const second = await cluster.start('worker', { program: changed });
  const ledgerFile = join(cluster.dataFolder(), 'sender.ledger');
  writeFileSync(ledgerFile, '');
  const keyFile = join(cluster.dataFolder(), 'demo', 'private.pem');
  const sender = startSender({ edgeUrls: [edge.urls[0]!], tenants, keyFile, ledgerFile, perSecond: 60, seed: 1 });
  const traffic = async () => {
    const due = statSync(ledgerFile).size + 25_000;
    await vi.waitUntil(() => statSync(ledgerFile).size >= due, patience);
  };
  const env = {
    HOOKWATCH_EDGE_INTERNAL_PORT: new URL(edge.urls[1]!).port,
    HOOKWATCH_WORKERS: `${first.urls[0]},${second.urls[0]}`,
  };
  const upgradeTo = async (program: string) => {
    const { code, output } = await cluster.run(['upgrade'], env, program);
    expect(code, output).toBe(0);
  };
  await traffic();
  await untilTurned(first, second);
  await upgradeTo(changed);
  await untilTurned(second, first);
  await traffic();
  await upgradeTo(entry);
  await untilTurned(first, second);
  await traffic();
  await sender.stop();
  expect(await edge.signal('SIGTERM')).toBe(0);

  const lanes = connectLanes(loadConfig(cluster.env).kafka!, 'test', pino({ level: 'silent' }));
  onTestFinished(lanes.close);
  const ends = await lastPositions(lanes, tenants);
  await vi.waitFor(async () => {
    const positions = Object.entries(await lanesOf(first)).map(([tenant, { position }]) => [tenant, position]);
    expect(Object.fromEntries(positions)).toEqual(ends);
  }, patience);
  const versions = await Promise.all([entry, changed].map(loadVersion));
  const expected = new Set<string>();
  for (const tenant of tenants) {
    for (const text of await inTurn(lanes.records(lanes.partitionOf(tenant)), tenant, versions)) expected.add(text);
  }
  expectSameSet(await putOut(lanes), expected);
  expect([...expected].some((text) => text.includes('"key_id":"changed"'))).toBe(true);
});

type Version = typeof FlowModule & typeof StateModule;

async function loadVersion(program: string): Promise<Version> {
  const load = (file: string) => import(pathToFileURL(join(program, '..', 'core', 'flow', file)).href);
  return { ...(await load('flow.ts')), ...(await load('state.ts')) };
}

/** What a lane leads to where each takeover hands it to the other version. */
async function inTurn(records: Log, tenant: string, versions: readonly Version[]): Promise<Set<string>> {
  const found = new Set<string>();
  let turn = 0;
  let state = versions[0]!.createState();
  for (let { first: position } = await records.bounds(); ; ) {
    const batch = await records.read(position, { records: 1_000, bytes: 4 * 1024 * 1024 });
    if (batch.length === 0) break;
    position = batch.at(-1)!.position + 1;
    for (const { key, position: at, frame } of batch) {
      if (key !== tenant) continue;
      const record = decode(frame);
      const takeover = takeovers.takeoverOf(record);
      if (takeover) {
        const snapshot = [...state.tables.snapshot()];
        state = versions[++turn % 2]!.restoreState(snapshot);
        takeovers.beginEpoch(state, takeover.epoch, takeover.flow);
      }
      const { outputs, ...next } = versions[turn % 2]!.step(state, [{ position: at, record }]);
      state = next.state;
      for (const output of outputs) found.add(textOfOutput(output));
    }
  }
  expect(turn).toBe(2);
  return found;
}

async function lanesOf({ urls }: ClusterProcess): Promise<Record<string, LaneStatus>> {
  return (await fetch(`${urls[0]}/lanes`)).json() as Promise<Record<string, LaneStatus>>;
}

async function workedOnBy(worker: ClusterProcess): Promise<string[]> {
  const lanes = Object.entries(await lanesOf(worker));
  return lanes.flatMap(([tenant, { stopped }]) => (stopped === '' ? [tenant] : [])).sort();
}

/** All lanes are worked on by the one and wait at the other. */
async function untilTurned(working: ClusterProcess, waiting: ClusterProcess): Promise<void> {
  await vi.waitFor(async () => {
    expect(await workedOnBy(working)).toEqual(tenants);
    expect(await workedOnBy(waiting)).toEqual([]);
    expect(Object.keys(await lanesOf(waiting)).sort()).toEqual(tenants);
  }, patience);
}
