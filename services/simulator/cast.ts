/**
 * The labelled attack, and what resembles it without being one. Their accounts stay out of everyday life, so that nothing
 * else is counted for or against them.
 */
import type { Account } from './bodies.ts';
import { tellAccount, tellServer, tellUser } from './happenings.ts';
import type { Happening, Label } from './item.ts';
import type { Step } from './schedule.ts';
import { restMs, type World } from './world.ts';

export interface CastOptions {
  /** Distinct servers of the fraud. */
  fraudServers: number;
  /** Distinct servers at which the rule fires. */
  detectionServers: number;
}

/** Writes the plays into the schedule; the fraud starts within the first third of the run. */
export function scheduleCast(world: World, { fraudServers, detectionServers }: CastOptions): void {
  const { runMs } = world;
  const few = Math.max(1, detectionServers - 2);
  play(world, 0.15 * runMs, 'fraud', (account) => [
    () => tellUser('User.Created', world.estate.createUser(account)),
    ...servers(world, account, fraudServers),
  ]);
  play(world, 0.25 * runMs, 'near-miss:few-servers', (account) => servers(world, account, few));
  play(world, 0.3 * runMs, 'near-miss:one-server', (account) => oneServer(world, account, 2 * detectionServers));
  play(world, 0.35 * runMs, 'near-miss:repeats', (account) => repeats(world, account, 2 * detectionServers));
  playOldAccount(world, 2 * detectionServers);
}

function play(world: World, atMs: number, label: Label, act: (account: Account) => Step[]): void {
  world.schedule.add(atMs, (nowMs) => {
    const account = world.estate.createAccount();
    follow(world, nowMs, label, act(account));
    return { ...tellAccount('Account.Created', account), label };
  });
}

/** The account shows itself early, by a change: no creation was ever told. */
function playOldAccount(world: World, serverCount: number): void {
  const label = 'near-miss:old-account';
  world.schedule.add(0.05 * world.runMs, (nowMs) => {
    const account = world.estate.createAccount();
    follow(world, nowMs, label, servers(world, account, serverCount));
    return { ...tellAccount('Account.Updated', account), label };
  });
}

/** One step after the other: seconds apart, in a short run less. */
function follow(world: World, fromMs: number, label: Label, steps: Step[]): void {
  const gapMs = Math.min(15_000, Math.max(50, 0.02 * world.runMs));
  let atMs = fromMs;
  for (const step of steps) {
    atMs += gapMs * (0.5 + world.random.fraction());
    world.schedule.add(atMs, (nowMs) => labelled(step(nowMs), label));
  }
}

function labelled(happening: Happening | undefined, label: Label): Happening | undefined {
  return happening && { ...happening, label };
}

/** Distinct servers, each announced once; each runs a little later. */
function servers({ estate, schedule, startMs }: World, account: Account, count: number): Step[] {
  return Array.from({ length: count }, () => (nowMs: number) => {
    const server = estate.createServer(account, startMs + nowMs);
    schedule.add(nowMs + 2 * restMs, (laterMs) => {
      estate.startServer(server, startMs + laterMs);
      return tellServer('Server.Updated', server);
    });
    return tellServer('Server.Created', server);
  });
}

function oneServer({ estate, startMs }: World, account: Account, updateCount: number): Step[] {
  const server = estate.createServer(account, startMs);
  return [
    (nowMs) => {
      server.createdMs = startMs + nowMs;
      server.modifiedMs = startMs + nowMs;
      return tellServer('Server.Created', server);
    },
    (nowMs) => {
      estate.startServer(server, startMs + nowMs);
      return tellServer('Server.Updated', server);
    },
    ...Array.from({ length: updateCount }, () => (nowMs: number) => {
      estate.changeServer(server, startMs + nowMs);
      return tellServer('Server.Updated', server);
    }),
  ];
}

function repeats({ estate, startMs }: World, account: Account, count: number): Step[] {
  let told: Happening | undefined;
  return Array.from({ length: count }, () => (nowMs: number) => {
    told ??= tellServer('Server.Created', estate.createServer(account, startMs + nowMs));
    return told;
  });
}
