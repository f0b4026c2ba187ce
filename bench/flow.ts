import { type LaneRecord, step } from '../services/core/flow/flow.ts';
import { createState } from '../services/core/flow/state.ts';
import { decode } from '../services/core/records/codec.ts';
import { type Bench, figureOf } from './figure.ts';
import { collectGarbage } from './garbage.ts';
import { encodeScenario } from './lane.ts';
import { alternate } from './rounds.ts';

/** As many records as the worker takes at a time when it has a backlog. */
const batchRecords = 500;

/** The flow against what no flow can do without: decoding the Avro frame and parsing the body. */
export const flow: Bench = {
  name: 'flow',
  about: "the flow's events/s as a ratio to only decoding Avro and parsing JSON",
  async run(say) {
    const frames = encodeScenario({ seed: 1, startMs: Date.UTC(2026, 0, 5, 9), rate: 500, seconds: 60 });
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    say(`${frames.length} frames, of ${Math.round(bytes / frames.length)} bytes on average`);
    const { ours, bare, ratios } = await alternate({
      ours: async () => timed(frames, workLane),
      bare: async () => timed(frames, parseBodies),
      rounds: 11,
      warmUps: 2,
      say,
    });
    return [
      figureOf({ name: 'ratio to decoding Avro and JSON alone', unit: '', goal: { atLeast: 0.5 } }, ratios),
      figureOf({ name: 'decoded and worked on by the flow', unit: '/s' }, ours),
      figureOf({ name: 'decoded and parsed alone', unit: '/s' }, bare),
    ];
  },
};

function timed(frames: readonly Buffer[], work: (frames: readonly Buffer[]) => number): number {
  collectGarbage();
  const startedMs = performance.now();
  const events = work(frames);
  return (events * 1_000) / (performance.now() - startedMs);
}

/** Returns how many events came of it. */
function workLane(frames: readonly Buffer[]): number {
  let state = createState();
  let events = 0;
  for (let from = 0; from < frames.length; from += batchRecords) {
    const batch = frames
      .slice(from, from + batchRecords)
      .map((frame, index): LaneRecord => ({ position: from + index, record: decode(frame) }));
    const result = step(state, batch);
    state = result.state;
    for (const { kind } of result.outputs) if (kind === 'event') events++;
  }
  return events;
}

/** Returns how many bodies there were. */
function parseBodies(frames: readonly Buffer[]): number {
  let bodies = 0;
  for (const frame of frames) {
    const { kind, value } = decode(frame);
    if (kind === 'delivery' && JSON.parse(value.body.toString()) !== null) bodies++;
  }
  return bodies;
}
