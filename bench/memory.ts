import { type LaneRecord, step } from '../services/core/flow/flow.ts';
import { createState, type FlowState } from '../services/core/flow/state.ts';
import { decode } from '../services/core/records/codec.ts';
import type { EventName } from '../services/simulator/item.ts';
import { type Bench, type Figure, figureOf } from './figure.ts';
import { liveBytes } from './garbage.ts';
import { createLaneWriter } from './lane.ts';
import type { Resident } from './resident.ts';
import { sampleBody } from './sample.ts';
import { runSystem, steady } from './system-run.ts';

const accounts = 2_000;
const servers = 6_000;
const repetitions = 3;
const startMs = Date.UTC(2026, 0, 5, 9);

export const memory: Bench = {
  name: 'memory',
  about: 'memory of each process, idle and after the load; bytes of flow state per account and per server',
  async run(say) {
    const { idle, loaded } = await runSystem(say);
    return [
      ...figuresOf('idle', idle),
      ...figuresOf(`after ${steady.seconds} s of ${steady.rate}/s`, loaded),
      measureState('flow state per account, created', accounts, (index) => [
        ['Account.Created', { ...sampleBody('Account.Created'), accountAlias: `A${index}` }],
      ]),
      measureState('flow state per server, created and updated', servers, (index) => {
        const name = `WA1NWND${index}`;
        return [
          ['Server.Created', { ...sampleBody('Server.Created'), id: name.toLowerCase(), name }],
          ['Server.Updated', { ...sampleBody('Server.Updated'), id: name.toLowerCase(), name }],
        ];
      }),
    ];
  },
};

function figuresOf(when: string, resident: Resident): Figure[] {
  const parts = Object.entries(resident).sort(([a], [b]) => (a < b ? -1 : 1));
  return parts.map(([part, megabytes]) => figureOf({ name: `${part}, ${when}`, unit: 'MB' }, [megabytes]));
}

type Told = [EventName, object];

/** Bytes that stay alive for each entity, whose events differ only in their names. */
function measureState(name: string, count: number, tell: (index: number) => Told[]): Figure {
  const samples = Array.from({ length: repetitions }, () => {
    const writer = createLaneWriter(startMs);
    let position = 0;
    const records = function* (): Generator<LaneRecord> {
      for (let index = 0; index < count; index++) {
        for (const [event, body] of tell(index)) writer.post(event, Buffer.from(JSON.stringify(body)), startMs + index);
        for (const frame of writer.frames.splice(0)) yield { position: position++, record: decode(frame) };
      }
    };
    return bytesPer(count, records());
  });
  return figureOf({ name, unit: 'bytes' }, samples);
}

function bytesPer(count: number, records: Iterable<LaneRecord>): number {
  let state: FlowState = createState();
  const before = liveBytes();
  for (const record of records) state = step(state, [record]).state;
  const after = liveBytes();
  // Read after the measurement, so that the state is alive during it.
  return state.tables ? (after - before) / count : Number.NaN;
}
