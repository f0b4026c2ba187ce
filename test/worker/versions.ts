/** Workers of two versions of the flow, and a lane that both of them read. */
import { expect } from 'vitest';
import type { Output } from '../../services/core/flow/context.ts';
import { type LaneRecord, step } from '../../services/core/flow/flow.ts';
import { createState } from '../../services/core/flow/state.ts';
import { beginEpoch } from '../../services/core/flow/takeover.ts';
import { decode, encode } from '../../services/core/records/codec.ts';
import { createLogCheckpoints } from '../../services/ports/checkpoints/logs.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import type { Flow } from '../../services/worker/lane.ts';
import type { Worker, WorkerOptions } from '../../services/worker/worker.ts';
import { laneOf, serverBody } from '../core/flow/lane.ts';
import { type Installation, install, patience, rowsOf, start } from './installation.ts';

/** Two versions of the flow: the second flags its events and forgets about panes. Both say where they worked. */
export function versions() {
  const steps: Record<'a' | 'b', Set<number>> = { a: new Set(), b: new Set() };
  const flowOf = (hash: 'a' | 'b', change: (output: Output) => Output[]): Flow => ({
    hash,
    step(state, records) {
      for (const { position } of records) steps[hash].add(position);
      const result = step(state, records);
      return { state: result.state, outputs: result.outputs.flatMap(change) };
    },
  });
  const flagged = (output: Output): Output[] => {
    if (output.kind === 'pane') return [];
    if (output.kind !== 'event') return [output];
    return [{ kind: 'event', value: { ...output.value, flags: [...output.value.flags, 'b'] } }];
  };
  return { a: flowOf('a', (output) => [output]), b: flowOf('b', flagged), steps };
}

/** A lane that goes on for as long as it is told to. Frames are of tenant acme. */
export function story() {
  const lane = laneOf();
  let minutes = 0;
  let taken = 0;
  const take = () => {
    const records = lane.records.slice(taken).map(({ record }) => encode(record.kind, record.value as never));
    taken = lane.records.length;
    return records.map((frame) => ({ key: 'acme', frame }));
  };
  return {
    more(events: number) {
      for (let n = 0; n < events; n++, minutes++) {
        lane.post('Server.Created', serverBody('NEW', `S${minutes}`, minutes * 60_000), minutes * 60_000);
        lane.tick(minutes * 60_000 + 500);
      }
      return take();
    },
    takeover(epoch: number, flow: string, previous: string) {
      lane.control({ kind: 'takeover', document: JSON.stringify({ epoch, flow, previous }) });
      return take();
    },
  };
}

export interface Era {
  flow: Flow;
  epoch: number;
  /** Position of its first record. */
  from: number;
}

/** What a lane leads to where each era is worked on by its flow alone. */
export async function expectedRows(installation: Installation, eras: readonly Era[]): Promise<Map<string, Output>> {
  const records = await installation.records.read(0, { records: 1e6, bytes: 1e9 });
  const lane = records
    .filter(({ key }) => key === 'acme')
    .map(({ position, frame }): LaneRecord => ({ position, record: decode(frame) }));
  const log = createMemoryLog();
  let state = createState();
  for (const [index, { flow, epoch, from }] of eras.entries()) {
    if (epoch > 1) beginEpoch(state, epoch, flow.hash);
    const until = eras[index + 1]?.from ?? Infinity;
    const result = flow.step(
      state,
      lane.filter(({ position }) => position >= from && position < until),
    );
    state = result.state;
    await log.append(result.outputs.map(({ kind, value }) => ({ key: 'acme', frame: encode(kind, value as never) })));
  }
  return rowsOf(log);
}

export function overLogs(): Installation {
  return {
    ...install(),
    checkpoints: createLogCheckpoints({ pieces: createMemoryLog(), progress: createMemoryLog(), deadPiecesMin: 0 }),
  };
}

export const startOf = (installation: Installation, flow: Flow, more: Partial<WorkerOptions> = {}): Worker =>
  start(installation, { tenants: ['acme'], flow, reopenIntervalMs: 1, ...more }).worker;

export const worksAt = (worker: Worker, position: number) =>
  expect.poll(() => worker.lanes().acme, patience).toMatchObject({ position, stopped: '' });
export const waits = (worker: Worker, why: RegExp) =>
  expect.poll(() => worker.lanes().acme?.stopped, patience).toMatch(why);
