/** Producers whose records were lost, reordered or sent again, and what a gap record changes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { step } from '../../../services/core/flow/flow.ts';
import { producersOf } from '../../../services/core/flow/producers.ts';
import { createState, metaOf, restoreState } from '../../../services/core/flow/state.ts';
import { summarize } from '../../../services/core/flow/summary.ts';
import type { Control } from '../../../services/core/records/generated.ts';
import { accountBody, boot, type LaneBuilder, laneOf, startMs } from './lane.ts';

const day = 86_400_000;
const first = 'b00000000000000a';
const second = 'b00000000000000b';

const run = ({ records }: LaneBuilder) => step(createState(), records);
const summaryOf = (lane: LaneBuilder) => summarize(run(lane).state);
const producerOf = (lane: LaneBuilder, id: string) => producersOf(run(lane).state).find((one) => one.boot === id);
const remarkOf = (lane: LaneBuilder, kind: Control['kind']) =>
  run(lane).outputs.findLast((output) => output.kind === 'control' && output.value.kind === kind)?.value as Control;
/** Accounts in the order in which their deliveries took effect. */
const worked = (lane: LaneBuilder) =>
  run(lane).outputs.flatMap((output) => (output.kind === 'event' ? [output.value.subject] : []));

/** A record of an edge beside the lane's own: number 0 is its boot, all others create an account that is named by it. */
function send(lane: LaneBuilder, seq: number, { id = first, edge = 'edge-2', predecessor = '', atMs = 1000 } = {}) {
  const received_at = startMs + atMs;
  if (seq === 0) return lane.control({ boot: id, seq, kind: 'boot', edge, predecessor, received_at });
  return lane.post('Account.Created', accountBody(`${id.slice(-1).toUpperCase()}${seq}`), atMs, { boot: id, seq });
}

function declareGap(
  lane: LaneBuilder,
  { id = first, atMs = 2000, ...parts }: Partial<Control> & { atMs?: number } = {},
) {
  const document = JSON.stringify({ boot: id, edge: 'edge-2' });
  return lane.control({ kind: 'gap', document, received_at: startMs + atMs, ...parts });
}

function lane(...seqs: number[]): LaneBuilder {
  const made = laneOf();
  for (const seq of seqs) send(made, seq);
  return made;
}

describe('before a gap is declared', () => {
  test('a lost record holds back those behind it, until it is sent again from the progress', () => {
    const broken = lane(0, 1, 3, 4);
    expect(producerOf(broken, first)).toMatchObject({ last_seq: 1, seen_seq: 4 });
    for (const seq of [2, 3, 4]) send(broken, seq);
    expect(producerOf(broken, first)).toEqual({ boot: first, edge: 'edge-2', last_seq: 4, seen_seq: 4, closed: false });
    expect(worked(broken)).toEqual(['A1', 'A2', 'A3', 'A4']);
  });

  test('reordered records wait for each other, and what comes twice counts once', () => {
    expect(worked(lane(0, 2, 1, 2, 1, 3, 2))).toEqual(['A1', 'A2', 'A3']);
  });

  test('the tail of a boot that its successor has closed is still taken, in order', () => {
    const made = lane(0, 1);
    send(made, 0, { id: second, predecessor: first, atMs: 5000 });
    expect(producerOf(made, first)).toMatchObject({ closed: true });
    for (const seq of [3, 2, 3]) send(made, seq);
    expect(worked(made)).toEqual(['A1', 'A2', 'A3']);
  });

  test('a closed boot is remembered for a week from its closing, however long its edge was down', () => {
    const made = lane(0, 1);
    send(made, 0, { id: second, predecessor: first, atMs: 20 * day });
    made.tick(26 * day);
    send(made, 1);
    expect(worked(made)).toEqual(['A1']);
    made.tick(28 * day);
    expect(producerOf(made, first)).toBeUndefined();
  });

  test('a boot that arrives after its successor closes nothing, and is closed', () => {
    const made = laneOf();
    send(made, 0, { id: second, predecessor: first, atMs: 5000 });
    for (const seq of [0, 1]) send(made, seq);
    expect(producerOf(made, first)).toMatchObject({ closed: true, last_seq: 1 });
    expect(producerOf(made, second)).toMatchObject({ closed: false });
    made.control({ boot: second, seq: 1, kind: 'tick', received_at: startMs + 9000, time: startMs + 9000 });
    made.tick(10_000);
    expect(metaOf(run(made).state).watermark).toBe(startMs + 7000);
  });

  test('of three boots of an edge that arrive last to first, the last stays open', () => {
    const third = 'b00000000000000c';
    const made = laneOf();
    send(made, 0, { id: third, predecessor: second, atMs: 9000 });
    send(made, 0, { id: first, atMs: 1000 });
    send(made, 0, { id: second, predecessor: first, atMs: 5000 });
    expect(producersOf(run(made).state).filter(({ closed }) => !closed)).toMatchObject([{ boot }, { boot: third }]);
  });
});

describe('after a gap was declared', () => {
  test('nothing is waited for: the missing are known to be lost, and the boot holds no time', () => {
    const made = lane(0, 1, 4);
    expect(summaryOf(made)).toMatchObject({ producersBehind: 1, retired: { lost: 0 } });
    declareGap(made);
    made.tick(9000);
    expect(summaryOf(made)).toMatchObject({ producersBehind: 0, retired: { lost: 3, recovered: 0 } });
    expect(producerOf(made, first)).toMatchObject({ last_seq: 1, seen_seq: 4, closed: true });
    expect(metaOf(run(made).state).watermark).toBe(startMs + 7000);
    expect(remarkOf(made, 'gap').remark).toBe('');
  });

  test('a record in a hole is taken once, in any order, also beyond the last that was seen', () => {
    const made = lane(0, 1, 4);
    declareGap(made);
    for (const seq of [4, 2, 4, 7, 2, 1]) send(made, seq);
    expect(worked(made)).toEqual(['A1', 'A4', 'A2', 'A7']);
    expect(producerOf(made, first)).toMatchObject({ last_seq: 2, seen_seq: 7 });
    // 3, 5 and 6.
    expect(summaryOf(made).retired).toEqual({ lost: 3, recovered: 3, dropped: 0 });
  });

  test('the whole segment of a disk that turned up leaves nothing lost', () => {
    const made = lane(0, 1);
    declareGap(made);
    send(made, 9);
    for (let seq = 0; seq < 12; seq++) send(made, seq);
    expect(producerOf(made, first)).toMatchObject({ last_seq: 11, seen_seq: 11 });
    expect(summaryOf(made).retired).toEqual({ lost: 0, recovered: 10, dropped: 0 });
  });

  test('other boots of the edge go on as before', () => {
    const made = lane(0, 1);
    send(made, 0, { id: second, predecessor: first, atMs: 5000 });
    declareGap(made, { atMs: 6000 });
    for (const seq of [2, 1]) send(made, seq, { id: second, atMs: 7000 });
    expect(producerOf(made, second)).toMatchObject({ last_seq: 1, seen_seq: 2, closed: false });
    expect(summaryOf(made)).toMatchObject({ producersBehind: 1, retired: { lost: 0 } });
  });

  test('a boot that was closed before is remembered for a week from the gap, too', () => {
    const made = lane(0, 1, 4);
    send(made, 0, { id: second, predecessor: first, atMs: 5000 });
    declareGap(made, { atMs: 6 * day });
    made.tick(10 * day);
    send(made, 4, { atMs: 10 * day });
    expect(worked(made)).toEqual(['A1', 'A4']);
  });

  test('it is remembered for a week from the gap, and what was lost stays counted', () => {
    const made = lane(0, 1, 4);
    declareGap(made, { atMs: 20 * day });
    made.tick(26 * day);
    expect(producerOf(made, first)).toBeDefined();
    made.tick(28 * day);
    expect(producerOf(made, first)).toBeUndefined();
    expect(summaryOf(made).retired.lost).toBe(3);
  });

  test('holes are limited; what would tear one more is dropped and counted, what mends one never is', () => {
    const made = lane(0);
    declareGap(made);
    for (let hole = 1; hole <= 1000; hole++) send(made, hole * 3);
    const full = { lost: 2000, recovered: 1000, dropped: 0 };
    expect(summaryOf(made).retired).toEqual(full);
    send(made, 9000);
    expect(summaryOf(made).retired).toEqual({ ...full, dropped: 1 });
    for (const seq of [1, 2, 9000]) send(made, seq);
    expect(summaryOf(made).retired).toEqual({ lost: 1998 + 5999, recovered: 1003, dropped: 1 });
  });

  test.each([
    { what: 'an unknown boot', parts: { id: 'b0000000000000ff' }, remark: /unknown to the lane/ },
    { what: 'the boot that writes it', parts: { id: boot }, remark: /cannot retire itself/ },
    { what: 'no boot', parts: { document: '{"edge":"edge-2"}' }, remark: /boot/ },
    { what: 'no document', parts: { document: '' }, remark: /object/ },
  ])('a gap of $what is ignored and says so', ({ parts, remark }) => {
    const made = lane(0, 1);
    const before = producersOf(run(made).state);
    declareGap(made, parts);
    expect(remarkOf(made, 'gap').remark).toMatch(/^ignored: /);
    expect(remarkOf(made, 'gap').remark).toMatch(remark);
    expect(producersOf(run(made).state).map(({ closed }) => closed)).toEqual(before.map(({ closed }) => closed));
  });

  test('a second gap of the same boot is ignored', () => {
    const made = lane(0, 1, 4);
    for (let turn = 0; turn < 2; turn++) declareGap(made);
    expect(remarkOf(made, 'gap').remark).toMatch(/retired already/);
    expect(summaryOf(made).retired.lost).toBe(3);
  });
});

test('whatever arrives in whatever order: in order before the gap, each once after it', () => {
  const seqs = fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 40 });
  fc.assert(
    fc.property(seqs, seqs, fc.nat(), (before, after, cut) => {
      const made = lane(0, ...before);
      declareGap(made);
      for (const seq of after) send(made, seq);
      const taken = new Set([0]);
      for (const seq of before) if (taken.has(seq - 1)) taken.add(seq);
      for (const seq of after) taken.add(seq);
      const seen = Math.max(0, ...before, ...after);
      const lost = Array.from({ length: seen + 1 }, (_, seq) => seq).filter((seq) => !taken.has(seq));

      const half = step(createState(), made.records.slice(0, cut % made.records.length));
      const restored = restoreState([...half.state.tables.snapshot()]);
      const { state } = step(restored, made.records.slice(cut % made.records.length));
      expect(summarize(state)).toMatchObject({ ledger: { events: taken.size - 1 }, retired: { lost: lost.length } });
      expect(producersOf(state).find((one) => one.boot === first)).toMatchObject({
        last_seq: (lost[0] ?? seen + 1) - 1,
        seen_seq: seen,
      });
    }),
  );
});
