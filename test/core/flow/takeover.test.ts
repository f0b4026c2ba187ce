import { describe, expect, test } from 'vitest';
import { step } from '../../../services/core/flow/flow.ts';
import { versionOf } from '../../../services/core/flow/ids.ts';
import { createState, metaOf, restoreState } from '../../../services/core/flow/state.ts';
import { beginEpoch, takeoverOf } from '../../../services/core/flow/takeover.ts';
import type { Control } from '../../../services/core/records/generated.ts';
import { accountBody, laneOf } from './lane.ts';

const takeover = (document: object | string): Partial<Control> => ({
  kind: 'takeover',
  document: typeof document === 'string' ? document : JSON.stringify(document),
});

/** A lane that begins under `flow`, reads takeovers and then creates an account. */
function run(flow: string, ...documents: (object | string)[]) {
  const lane = laneOf();
  const opened = step(createState(), lane.records.splice(0));
  if (flow !== '') beginEpoch(opened.state, 1, flow);
  for (const document of documents) lane.control(takeover(document));
  lane.post('Account.Created', accountBody('NEW'), 1000);
  const records = lane.records.map(({ record }, index) => ({ position: 100 + index, record }));
  const { state, outputs } = step(opened.state, records);
  return { meta: metaOf(state), outputs, records };
}

const remarks = ({ outputs }: ReturnType<typeof run>) =>
  outputs.flatMap((output) => (output.kind === 'control' ? [output.value.remark] : []));

describe('a takeover record', () => {
  test.each([
    { flow: 'a', document: { epoch: 2, flow: 'b', previous: 'a' } },
    { flow: '', document: { epoch: 2, flow: 'b', previous: 'a' } },
    { flow: '', document: { epoch: 2, flow: 'b', previous: '' } },
  ])('takes effect on a lane of flow "$flow": $document', ({ flow, document }) => {
    const ran = run(flow, document);
    expect(ran.meta).toMatchObject({ epoch: 2, flow: 'b' });
    expect(remarks(ran)).toEqual(['']);
    expect(new Set(ran.outputs.map(({ value }) => value.version))).toEqual(new Set([versionOf(2, 1)]));
  });

  test.each([
    { what: 'of an epoch too far', document: { epoch: 3, flow: 'b', previous: 'a' }, remark: /begins epoch 3/ },
    { what: 'from another flow', document: { epoch: 2, flow: 'b', previous: 'c' }, remark: /takes over from flow c/ },
    { what: 'from no known flow', document: { epoch: 2, flow: 'b', previous: '' }, remark: /flow \(unknown\)/ },
    { what: 'to no flow', document: { epoch: 2, flow: '', previous: 'a' }, remark: /flow: / },
    { what: 'to half an epoch', document: { epoch: 1.5, flow: 'b', previous: 'a' }, remark: /epoch: / },
    { what: 'that is broken', document: '{', remark: /object/ },
  ])('$what is ignored and says so', ({ document, remark }) => {
    const ran = run('a', document);
    expect(ran.meta).toMatchObject({ epoch: 1, flow: 'a' });
    expect(remarks(ran)[0]).toMatch(/^ignored: /);
    expect(remarks(ran)[0]).toMatch(remark);
  });

  test('that was followed already changes nothing and is no mistake', () => {
    const document = { epoch: 2, flow: 'b', previous: 'a' };
    const ran = run('a', document, document);
    expect(ran.meta).toMatchObject({ epoch: 2, flow: 'b' });
    expect(remarks(ran)).toEqual(['', '']);
  });

  test('leads there and back, each time to a new epoch', () => {
    const ran = run('a', { epoch: 2, flow: 'b', previous: 'a' }, { epoch: 3, flow: 'a', previous: 'b' });
    expect(ran.meta).toMatchObject({ epoch: 3, flow: 'a' });
    expect(remarks(ran)).toEqual(['', '']);
  });

  test('is the same to a worker that begins its epoch before it', () => {
    const document = { epoch: 2, flow: 'b', previous: 'a' };
    const read = run('a', document);
    const begun = createState();
    step(begun, laneOf().records);
    beginEpoch(begun, 2, 'b');
    const { state, outputs } = step(begun, read.records);
    expect(outputs).toEqual(read.outputs);
    expect(metaOf(state)).toEqual(read.meta);
  });
});

test('only a valid takeover is read as one', () => {
  const { records } = run(
    '',
    { epoch: 2, flow: 'b', previous: 'a' },
    { epoch: '2', flow: 'b', previous: 'a' },
    { epoch: 2, flow: 'b', previous: 'a', more: 1 },
  );
  const read = records.map(({ record }) => takeoverOf(record));
  expect(read).toEqual([{ epoch: 2, flow: 'b', previous: 'a' }, undefined, undefined, undefined]);
});

test('a snapshot of before lanes knew their flow is of any', () => {
  const { state } = step(createState(), laneOf().records);
  const { flow: _, ...meta } = metaOf(state);
  state.meta.set('', '', meta as never);
  const restored = restoreState([...state.tables.snapshot()]);
  expect(metaOf(restored)).toEqual({ ...meta, flow: '' });
});
