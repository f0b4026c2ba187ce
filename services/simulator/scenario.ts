/**
 * A small reseller's life as its provider tells it: sub-accounts, users, servers over their life, CPU alerts, and among
 * them one labelled fraud and what resembles it. Pure: the same options give the same bytes, on every machine.
 */
import { type Branch, introduceBranch, tellTwice } from './branch.ts';
import { scheduleCast } from './cast.ts';
import * as customers from './customers.ts';
import { createEstate } from './estate.ts';
import { tellAccount, tellServer } from './happenings.ts';
import type { Happening, Item } from './item.ts';
import { createRandom } from './random.ts';
import { createSchedule } from './schedule.ts';
import * as servers from './servers.ts';
import type { World } from './world.ts';

export interface ScenarioOptions {
  /** Whole number from 0 to 2^32 - 1. */
  seed: number;
  /** Wall clock of the start, milliseconds since 1970: times in bodies follow it, and names carry its second. */
  startMs: number;
  /** Deliveries per second. */
  rate: number;
  seconds: number;
  /** Alias of the reseller's root account. */
  root: string;
  /** Distinct servers at which the rule fires; default 5. */
  detectionServers?: number;
  /** Distinct servers of the fraud; default 8, and more than the rule needs. */
  fraudServers?: number;
  /** A sub-account that has endpoints of its own, and the events that they are told of. */
  branch?: Branch | undefined;
  /** Genuine deliveries of somebody else's account arrive as well. */
  strangers?: boolean;
}

/** An account that no settings of a demo name. */
const strangersParent = 'FRGN';

/** Shares in percent of what happens of its own accord. The rest are changes of servers, as in reality. */
const shares: { percent: number; act: (world: World, nowMs: number) => Happening | undefined }[] = [
  { percent: 6, act: servers.openAlert },
  { percent: 5, act: servers.createServer },
  { percent: 3, act: servers.deleteServer },
  { percent: 5, act: customers.updateUser },
  { percent: 2, act: customers.createUser },
  { percent: 1, act: customers.deleteUser },
  { percent: 2, act: customers.updateAccount },
  { percent: 1, act: customers.createAccount },
];

/**
 * Items in order of time, `rate` times `seconds` of them, spread evenly from the first moment on. What is planned goes
 * before what happens of its own accord; a run too short for all that is planned (some 120 items) ends within it.
 */
export function* generateScenario(options: ScenarioOptions): Generator<Item, void, undefined> {
  const { rate, seconds, detectionServers = 5, fraudServers = Math.max(8, detectionServers + 3) } = options;
  const total = Math.round(rate * seconds);
  const world = createWorld(options, Math.max(1, Math.min(2, detectionServers - 2)));
  if (options.branch) introduceBranch(world, options.branch);
  scheduleEstate(world, total, rate);
  scheduleOneOfEach(world);
  scheduleCast(world, { fraudServers, detectionServers });
  if (options.strangers) scheduleStranger(world);
  for (let index = 0; index < total; index += 1) {
    const atMs = Math.floor(((index + world.random.fraction()) * 1_000) / rate);
    const happening = world.schedule.take(atMs) ?? live(world, atMs);
    yield { atMs, ...(options.branch ? tellTwice(world, options.branch, happening, atMs, index) : happening) };
  }
}

/** Stands in every name that a run makes: R and five letters or digits, one for each seed and second. */
export function runTagOf(seed: number, startMs: number): string {
  const span = 36 ** 5;
  const number = (Math.floor(startMs / 1_000) + (seed % span) * 37_330_877) % span;
  return `R${number.toString(36).toUpperCase().padStart(5, '0')}`;
}

function createWorld({ seed, startMs, seconds, root, branch }: ScenarioOptions, serversOfNewcomerMax: number): World {
  const random = createRandom(seed);
  const estate = createEstate({ random, tag: runTagOf(seed, startMs), root });
  const people = { old: [], accounts: [], users: [], residents: [] };
  return {
    estate,
    random,
    schedule: createSchedule(),
    startMs,
    runMs: seconds * 1_000,
    serversOfNewcomerMax,
    branch: branch?.alias,
    ...people,
  };
}

/** The accounts that were there before the start show themselves one after the other, the first at once. */
function scheduleEstate(world: World, total: number, rate: number): void {
  const accountCount = Math.min(60, Math.max(3, Math.round(total / 250)));
  const serversPerAccount = Math.min(400, Math.max(4, Math.ceil((2 * rate) / accountCount)));
  const spacingMs = Math.min(2_000, world.runMs / 10) / accountCount;
  for (let index = 0; index < accountCount; index += 1) {
    world.schedule.add(index * spacingMs, () => customers.introduceAccount(world, serversPerAccount));
  }
}

/** Whatever the seed, each event comes at least once, and the first second shows all four kinds. */
function scheduleOneOfEach(world: World): void {
  const { schedule, runMs } = world;
  schedule.add(0, () => customers.createUser(world));
  schedule.add(250, (nowMs) => servers.openAlert(world, nowMs));
  schedule.add(400, (nowMs) => servers.createServer(world, nowMs));
  schedule.add(0.1 * runMs, (nowMs) => customers.createTrialAccount(world, nowMs));
  schedule.add(0.5 * runMs, (nowMs) => servers.deleteServer(world, nowMs));
}

/** Somebody else's account and one of its servers: the provider signs for all of its customers with one key. */
function scheduleStranger({ estate, schedule, runMs, startMs }: World): void {
  const account = estate.createAccount(strangersParent);
  schedule.add(0.2 * runMs, () => ({ ...tellAccount('Account.Updated', account), label: 'stranger' }));
  schedule.add(0.4 * runMs, (nowMs) => {
    const server = estate.createServer(account, startMs + nowMs);
    return { ...tellServer('Server.Created', server), label: 'stranger' };
  });
}

function live(world: World, nowMs: number): Happening {
  let ticket = world.random.fraction() * 100;
  const share = shares.find(({ percent }) => {
    ticket -= percent;
    return ticket < 0;
  });
  const happening = share?.act(world, nowMs) ?? servers.updateServer(world, nowMs);
  return happening ?? customers.updateUser(world);
}
