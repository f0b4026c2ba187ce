/**
 * Every body, changed at random: an event, or a reject that says which field or place is at fault. Nothing throws, nothing
 * is lost, the ledger is even.
 *
 *   HOOKWATCH_MUTATIONS=100000   how many (npm run test:long); 2,000 as a rule
 *   MUTATION_SEED=…              from the seed that was printed; with MUTATION_ONLY=… that one mutation of it
 */
import { randomInt } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import type { Output } from '../../../services/core/flow/context.ts';
import { step } from '../../../services/core/flow/flow.ts';
import { createState } from '../../../services/core/flow/state.ts';
import { summarize } from '../../../services/core/flow/summary.ts';
import { providers } from '../../../services/core/providers/providers.ts';
import { decode, encode } from '../../../services/core/records/codec.ts';
import type { Delivery, Event, Reject } from '../../../services/core/records/generated.ts';
import { type Case, caseOf, fieldsOf, laneOfSamples } from './mutations/cases.ts';

const mutations = Number(process.env.HOOKWATCH_MUTATIONS ?? 2_000);
const seed = Number(process.env.MUTATION_SEED ?? randomInt(2 ** 31));
const only = process.env.MUTATION_ONLY === undefined ? undefined : Number(process.env.MUTATION_ONLY);
/** A lane each, so that what one remembers stays small. */
const mutationsPerLane = 500;
const msPerMutationMax = 30;
/** What at least one in a hundred comes to. */
const outcomes = ['event', 'not UTF-8', 'not JSON', 'not an object', 'too deep', 'unknown event', 'account missing'];

console.log(`MUTATION_SEED=${seed}`);

/** With what is needed to see it again. */
function failure({ number, sample, how, parts }: Case, message: string): Error {
  const body = parts.body.length > 2_000 ? `${parts.body.length} bytes` : parts.body.toString('base64');
  return new Error(
    `${message}\n  MUTATION_SEED=${seed} MUTATION_ONLY=${number}: ${sample.provider} ${sample.event}: ${how.join(', ')}\n  ${body}`,
  );
}

/** Names that a reject's detail may give: fields of the documentation, and places of a body. */
const placePattern =
  /character \d+|ends too early|valid UTF-8|\d+ levels|the body is (null|an? )|the endpoint (has|says)/;
const fieldPatterns = new Map(
  [...providers.keys()].map((name) => [name, patternOf([...fieldsOf(name), 'expectedDate'])]),
);

function patternOf(names: readonly string[]): RegExp {
  return new RegExp(`(?<!\\w)(${[...new Set(names)].join('|')})(?!\\w)`);
}

function namesFieldOrPlace(provider: string, detail: string): boolean {
  return placePattern.test(detail) || fieldPatterns.get(provider)!.test(detail);
}

function problemOf(delivery: Delivery, outputs: readonly Output[], pendingMore: number): string | undefined {
  const events = outputs.filter(({ kind }) => kind === 'event').map(({ value }) => value as Event);
  const rejects = outputs.filter(({ kind }) => kind === 'reject').map(({ value }) => value as Reject);
  const deliveries = outputs.filter(({ kind }) => kind === 'delivery').map(({ value }) => value as Delivery);
  if (deliveries.length !== 1 || !delivery.body.equals(deliveries[0]!.body))
    return 'the delivery was not kept as it was';
  const own = events.filter((event) => event.deliveries.includes(delivery.id)).length;
  if (own + rejects.length + pendingMore !== 1) {
    return `${own} events, ${rejects.length} rejects, ${pendingMore} pending of one delivery`;
  }
  const rejected = rejects[0];
  if (rejected?.reason === 'internal') return `internal: ${rejected.detail}`;
  if (rejected && !namesFieldOrPlace(delivery.provider, rejected.detail))
    return `the detail names neither field nor place: ${rejected.detail}`;
  const changed = outputs.find((output) => !comesBack(output));
  return changed && `what comes back of the ${changed.kind} is not what was said: ${JSON.stringify(changed.value)}`;
}

/** Whether an output is the same after it went through a file. */
function comesBack({ kind, value }: Output): boolean {
  const plain = (record: unknown) => JSON.parse(JSON.stringify(record));
  return isDeepStrictEqual(plain(decode(encode(kind, value as never)).value), plain(value));
}

function workOn(cases: readonly Case[], seen: Map<string, number>): void {
  const lane = laneOfSamples();
  let { state } = step(createState(), lane.records);
  let ledger = summarize(state).ledger;
  for (const [index, one] of cases.entries()) {
    const record = lane.post(one.event, '', 1_000 * index, one.parts);
    const delivery = record.record.value as Delivery;
    const decoded = attempt(one, () => providers.get(delivery.provider)!.decode(delivery));
    const worked = step(state, [record]);
    state = worked.state;
    const after = summarize(state).ledger;
    const problem =
      problemOf(delivery, worked.outputs, after.pending - ledger.pending) ??
      (after.journaled === after.events + after.twins + after.rejects + after.pending
        ? undefined
        : `ledger ${JSON.stringify(after)}`);
    if (problem) throw failure(one, problem);
    ledger = after;
    const outcome = decoded.ok ? 'event' : decoded.reason;
    seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
  }
}

function attempt<T>(one: Case, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw failure(one, `the decoder threw ${(error as Error).stack}`);
  }
}

test(
  `${mutations} mutations are events, or rejects that say what is at fault`,
  () => {
    const numbers = only === undefined ? Array.from({ length: mutations }, (_, index) => index) : [only];
    const seen = new Map<string, number>();
    for (let first = 0; first < numbers.length; first += mutationsPerLane) {
      workOn(
        numbers.slice(first, first + mutationsPerLane).map((number) => caseOf(seed, number)),
        seen,
      );
    }
    console.log([...seen].map(([outcome, count]) => `${count} ${outcome}`).join(', '));
    if (only === undefined && mutations >= 2_000) {
      // That mutations go deep, and not so deep that nothing is understood any more.
      expect([...seen.keys()]).toEqual(expect.arrayContaining(outcomes));
      expect(seen.get('event')).toBeGreaterThan(mutations / 5);
    }
  },
  Math.max(20_000, mutations * msPerMutationMax),
);
