/** The laws of flow.ts, over random lanes. A failing seed is printed by fast-check with its counterexample. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Output } from '../../../services/core/flow/context.ts';
import { type LaneRecord, step } from '../../../services/core/flow/flow.ts';
import { findOpenings } from '../../../services/core/flow/openings.ts';
import { createState, type FlowState, restoreState } from '../../../services/core/flow/state.ts';
import { summarize } from '../../../services/core/flow/summary.ts';
import { decoders } from '../../../services/core/providers/providers.ts';
import type { Delivery } from '../../../services/core/records/generated.ts';
import { laneOf, startMs } from './lane.ts';
import { settings, shortStory, story, tell, troubledStory } from './stories.ts';

/** The state's entries, without their order. */
function entriesOf(state: FlowState): string[] {
  return [...state.tables.snapshot()].flatMap((chunk) => Buffer.from(chunk).toString().split('\n')).sort();
}

function run(records: readonly LaneRecord[], sizes: readonly number[] = [records.length], state = createState()) {
  const outputs: Output[] = [];
  for (let from = 0, turn = 0; from < records.length; turn++) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? records.length);
    const result = step(state, records.slice(from, from + size));
    state = result.state;
    outputs.push(...result.outputs);
    from += size;
  }
  return { state, outputs };
}

/** LAW_RUNS makes a longer search of it. */
const numRuns = Number(process.env.LAW_RUNS ?? 150);
const holds = <T>(arbitrary: fc.Arbitrary<T>, law: (value: T) => void) =>
  fc.assert(fc.property(arbitrary, law), { numRuns });

test('batch invariance: how records are batched changes neither outputs nor state', () => {
  holds(
    fc.tuple(troubledStory, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 })),
    ([acts, sizes]) => {
      const records = tell(acts);
      const whole = run(records);
      const parts = run(records, sizes);
      expect(parts.outputs).toEqual(whole.outputs);
      expect(entriesOf(parts.state)).toEqual(entriesOf(whole.state));
    },
  );
});

test('a state restored at any point goes on exactly as the one that was saved', () => {
  holds(fc.tuple(troubledStory, fc.nat()), ([acts, cut]) => {
    const records = tell(acts);
    const at = cut % (records.length + 1);
    const whole = run(records);
    const before = run(records.slice(0, at));
    const restored = restoreState([...before.state.tables.snapshot()]);
    const after = run(records.slice(at), [3], restored);
    expect([...before.outputs, ...after.outputs]).toEqual(whole.outputs);
    expect(entriesOf(after.state)).toEqual(entriesOf(whole.state));
  });
});

test('a snapshot that is written while the flow goes on is of the moment at which it began', () => {
  holds(fc.tuple(troubledStory, fc.nat()), ([acts, cut]) => {
    const records = tell(acts);
    const at = cut % (records.length + 1);
    const { state } = run(records.slice(0, at));
    const frozen = entriesOf(state);
    const snapshot = state.tables.snapshot();
    const chunks: Uint8Array[] = [];
    for (const record of records.slice(at)) {
      const next = snapshot.next();
      if (!next.done) chunks.push(next.value);
      step(state, [record]);
    }
    chunks.push(...snapshot);
    expect(
      chunks
        .flatMap((chunk) => Buffer.from(chunk).toString().split('\n'))
        .sort()
        .filter(Boolean),
    ).toEqual(frozen.filter(Boolean));
  });
});

test('records that come again from the same producer have no effect', () => {
  holds(fc.tuple(story, fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 20 })), ([acts, again]) => {
    const records = tell(acts);
    const doubled = [...records];
    for (const [which, where] of again) {
      const original = records[which % records.length]!;
      const after = doubled.indexOf(original) + 1;
      doubled.splice(after + (where % (doubled.length - after + 1)), 0, original);
    }
    const renumbered = doubled.map((entry, position) => ({ ...entry, position }));
    const firsts = renumbered.filter((_, index) => doubled.indexOf(doubled[index]!) === index);
    expect(run(renumbered).outputs).toEqual(run(firsts).outputs);
  });
});

test('a delivery on which the flow throws becomes the reject `internal`; all others go on as if it had said nothing', () => {
  holds(fc.tuple(story, fc.nat()), ([acts, nth]) => {
    const records = tell(acts);
    const victims = records.filter(({ record }) => record.kind === 'delivery');
    fc.pre(victims.length > 0);
    const victim = victims[nth % victims.length]!;
    const victimId = (victim.record.value as Delivery).id;
    const throwing = new Map(
      [...decoders].map(([name, decode]) => [
        name,
        (delivery: Parameters<typeof decode>[0]) => {
          if (delivery.id === victimId) throw new Error('broken decoder');
          return decode(delivery);
        },
      ]),
    );
    fc.pre(victim.record.kind === 'delivery' && victim.record.value.verdict !== 'rejected');
    const unverified = records.map((entry) =>
      entry !== victim
        ? entry
        : {
            ...entry,
            record: {
              kind: 'delivery' as const,
              value: {
                ...(entry.record.value as never as Record<string, never>),
                verdict: 'rejected',
                verdict_reason: 'signature mismatch',
              } as never,
            },
          },
    );
    const failed = step(createState(), records, throwing);
    const silent = step(createState(), unverified);
    const others = (outputs: Output[]) =>
      outputs.filter((output) => !('position' in output.value && output.value.position === victim.position));
    expect(others(failed.outputs)).toEqual(others(silent.outputs));
    const reject = failed.outputs.find((output) => output.kind === 'reject' && output.value.delivery === victimId);
    expect(reject?.value).toMatchObject({ reason: 'internal', detail: 'the flow failed on it: broken decoder' });
  });
});

test('the ledger balances after every record', () => {
  holds(troubledStory, (acts) => {
    let state = createState();
    for (const record of tell(acts)) {
      state = step(state, [record]).state;
      const { journaled, events, twins, rejects, pending } = summarize(state).ledger;
      expect(journaled).toBe(events + twins + rejects + pending);
    }
  });
});

test('open episodes as counted, and the oldest of them, are those that the rows show', () => {
  holds(troubledStory, (acts) => {
    const { state, outputs } = run(tell(acts));
    const rows = new Map(
      outputs.flatMap((output) => (output.kind === 'episode' ? [[output.value.id, output.value]] : [])),
    );
    const open = [...rows.values()].filter((row) => row.state === 'open');
    const { openEpisodes, watermark } = summarize(state);
    expect(openEpisodes.reduce((sum, { count }) => sum + count, 0)).toBe(open.length);
    for (const { metric, oldestAt, openLong, long } of openEpisodes) {
      const began = open.filter((row) => row.metric === metric).map((row) => row.opened_at);
      expect(oldestAt).toBe(began.length === 0 ? null : Math.min(...began));
      expect(openLong).toBe(began.filter((openedAt) => openedAt + 3_600_000 <= watermark).length);
      expect(long).toBeGreaterThanOrEqual(openLong);
    }
    for (const { opened_at, first_received_at } of open) {
      expect(Math.min(opened_at, first_received_at + 60_000) + 86_400_000).toBeGreaterThan(watermark);
    }
  });
});

test('where episodes are is found in a state that did not note it as in one that did', () => {
  holds(troubledStory, (acts) => {
    const { state } = run(tell(acts));
    const noted = /^\["(openings|deadlines|alerted)"/;
    const before = entriesOf(state);
    const kept = before.filter((line) => line !== '' && !noted.test(line));
    const restored = restoreState([Buffer.from(kept.map((line) => `${line}\n`).join(''))]);
    findOpenings(restored);
    const where = (lines: string[]) => lines.filter((line) => noted.test(line));
    expect(where(entriesOf(restored))).toEqual(where(before));
  });
});

test('versions of an id only grow, and its first received time never changes', () => {
  holds(troubledStory, (acts) => {
    const seen = new Map<string, { version: number; first: number }>();
    for (const output of run(tell(acts)).outputs) {
      if (!('first_received_at' in output.value)) continue;
      const { id, version, first_received_at: first } = output.value;
      const before = seen.get(id);
      if (before) expect(version).toBeGreaterThan(before.version);
      if (before) expect(first).toBe(before.first);
      seen.set(id, { version, first });
    }
  });
});

const receivedAt = (record: LaneRecord['record']) => ('received_at' in record.value ? record.value.received_at : 0);

test('bodies that come again, by whatever endpoint delivery, raise neither a pane nor a detection', () => {
  holds(fc.tuple(shortStory, fc.array(fc.nat(), { minLength: 1, maxLength: 30 })), ([acts, again]) => {
    const honest = tell(acts);
    const replayed = laneOf({ servers: 3 }, settings);
    for (const { record } of honest.slice(2)) {
      if (record.kind === 'control') replayed.control({ ...record.value, seq: replayed.records.length });
      else if (record.kind === 'delivery') replayed.post('', '', 0, { ...record.value, seq: replayed.records.length });
    }
    const last = Math.max(...honest.map(({ record }) => receivedAt(record))) - startMs;
    const bodies = honest.flatMap(({ record }) =>
      record.kind === 'delivery' && record.value.event_name === 'Server.Created' ? [record.value] : [],
    );
    fc.pre(bodies.length > 0);
    for (const which of again) {
      const { id: _id, seq: _seq, ...body } = bodies[which % bodies.length]!;
      replayed.post('', '', 0, {
        ...body,
        seq: replayed.records.length,
        received_at: startMs + last + 1,
        id: `again-${replayed.records.length}`,
      });
    }
    replayed.tick(last + 10_000);
    const total = (outputs: Output[]) => {
      const panes = new Map(
        outputs.flatMap((output) => (output.kind === 'pane' ? [[output.value.id, output.value.value]] : [])),
      );
      const detections = new Map(
        outputs.flatMap((output) => (output.kind === 'detection' ? [[output.value.id, output.value.count]] : [])),
      );
      const sum = (values: Iterable<number>) => [...values].reduce((a, b) => a + b, 0);
      return { panes: sum(panes.values()), detections: detections.size, counted: sum(detections.values()) };
    };
    expect(total(run(replayed.records).outputs)).toEqual(total(run(honest).outputs));
  });
});
