import type { Account, Server, User } from './bodies.ts';
import type { Estate } from './estate.ts';
import type { Random } from './random.ts';
import type { Schedule } from './schedule.ts';

/** A server together with what only its history tells. */
export interface Resident {
  server: Server;
  touchedMs: number;
  alert: 'none' | 'open' | 'lost';
  /** End of the latest alert, milliseconds since 1970; 0 before the first. */
  alertEndedMs: number;
}

/** All that is there while the generator runs. Times are milliseconds after the start unless said otherwise. */
export interface World {
  estate: Estate;
  random: Random;
  schedule: Schedule;
  /** Wall clock of the start: milliseconds since 1970. */
  startMs: number;
  runMs: number;
  /** A new customer has at most so many servers, for it must not look like a fraud. */
  serversOfNewcomerMax: number;
  /** Alias of a sub-account of the root that has endpoints of its own; unset: there is none. */
  branch: string | undefined;
  /** Accounts that were there before the start: only they keep growing. */
  old: Account[];
  /** Those and the new ones. */
  accounts: Account[];
  /** `told`: the current body was sent before, so that sending it again says that a password was changed. */
  users: { user: User; told: boolean }[];
  residents: Resident[];
}

/** Two changes of one server are so far apart that their modifiedDate, in whole seconds, tells which came first. */
export const restMs = 1_000;

export function settle(world: World, server: Server, touchedMs: number): void {
  world.residents.push({ server, touchedMs, alert: 'none', alertEndedMs: 0 });
}

/** A rested server that fits, searched from a random place on; marks it as touched. */
export function visit(world: World, nowMs: number, fits: (resident: Resident) => boolean): Resident | undefined {
  const { residents, random } = world;
  const first = random.between(0, residents.length - 1);
  for (let index = 0; index < residents.length; index += 1) {
    const resident = residents[(first + index) % residents.length]!;
    if (nowMs - resident.touchedMs < restMs || !fits(resident)) continue;
    resident.touchedMs = nowMs;
    return resident;
  }
  return undefined;
}
