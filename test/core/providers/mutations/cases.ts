/** Deliveries with changed bodies, by number: the same seed gives the same ones. And the lane that they come in. */
import { providers } from '../../../../services/core/providers/providers.ts';
import type { Control, Delivery } from '../../../../services/core/records/generated.ts';
import { createRandom, type Random } from '../../../../services/simulator/random.ts';
import { type LaneBuilder, laneOf, settingsDocument } from '../../flow/lane.ts';
import { mutate } from './mutate.ts';
import { readSamples, type Sample } from './samples.ts';

const samples = readSamples();
const samplesOf = [...providers.keys()].map((name) => samples.filter(({ provider }) => provider === name));

/** Fields that the samples of a provider have, by name. */
export function fieldsOf(provider: string): string[] {
  return samples.filter((sample) => sample.provider === provider).flatMap(({ body }) => Object.keys(body));
}

export interface Case {
  number: number;
  sample: Sample;
  how: string[];
  event: string;
  /** Of the delivery; the lane gives the rest. */
  parts: Partial<Delivery> & { body: Buffer };
}

export function caseOf(seed: number, number: number): Case {
  const random = createRandom((seed + Math.imul(number, 0x9e3779b9)) >>> 0);
  const sample = random.pick(random.pick(samplesOf));
  const { body, how } = mutate(sample.body, random);
  const event = random.chance(0.98) ? sample.event : random.pick(['', 'Server.Exploded', 'server.created']);
  const account = random.chance(0.95) ? sample.account : '';
  const parts = { provider: sample.provider, account, endpoint: sample.provider, headers: headersOf(random), body };
  return { number, sample, how, event, parts };
}

function headersOf(random: Random): Record<string, string> {
  return random.chance(0.5) ? {} : { 'webhook-id': random.pick(['', 'msg_1', '__proto__', 'x'.repeat(5_000)]) };
}

/** A lane whose tenant has the account of the documentation. The recorded servers are of another one, and wait. */
export function laneOfSamples(): LaneBuilder {
  const lane = laneOf();
  const document = JSON.stringify({ ...settingsDocument, accounts: ['centurylink:DEMO'] });
  const [genesis] = lane.records;
  lane.control({ kind: 'settings', document, predecessor: (genesis!.record.value as Control).id });
  return lane;
}
