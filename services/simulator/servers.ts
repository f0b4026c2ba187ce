/** What happens to servers, their alerts included. */
import type { Account } from './bodies.ts';
import { tellAlert, tellDeletedServer, tellServer } from './happenings.ts';
import type { Happening } from './item.ts';
import { type Resident, restMs, settle, visit, type World } from './world.ts';

export function createServer(world: World, nowMs: number): Happening {
  return announceServer(world, world.random.pick(world.old), nowMs);
}

/** A server under construction; it runs some seconds later. */
export function announceServer(world: World, account: Account, nowMs: number): Happening {
  const { estate, random, schedule, startMs } = world;
  const server = estate.createServer(account, startMs + nowMs);
  schedule.add(nowMs + random.between(restMs, 4 * restMs), (laterMs) => {
    estate.startServer(server, startMs + laterMs);
    settle(world, server, laterMs);
    return tellServer('Server.Updated', server);
  });
  return tellServer('Server.Created', server);
}

export function updateServer(world: World, nowMs: number): Happening | undefined {
  const resident = visit(world, nowMs, () => true);
  if (!resident) return undefined;
  world.estate.changeServer(resident.server, world.startMs + nowMs);
  return tellServer('Server.Updated', resident.server);
}

export function deleteServer(world: World, nowMs: number): Happening | undefined {
  const resident = visit(world, nowMs, ({ alert }) => alert === 'none');
  if (!resident) return undefined;
  world.residents[world.residents.indexOf(resident)] = world.residents.at(-1)!;
  world.residents.pop();
  return tellDeletedServer(resident.server);
}

/** An alert whose end comes within the run, or, once in a dozen, never. */
export function openAlert(world: World, nowMs: number): Happening | undefined {
  const { random, schedule, startMs, runMs } = world;
  const lost = random.chance(1 / 12);
  const closesMs = nowMs + random.between(2_000, Math.max(2_000, Math.min(20_000, Math.floor(0.3 * runMs))));
  if (!lost && closesMs > runMs - restMs) return undefined;
  const resident = visit(
    world,
    nowMs,
    ({ alert, server }) => alert === 'none' && server.status === 'active' && server.powerState === 'started',
  );
  if (!resident) return undefined;
  const { server, alertEndedMs } = resident;
  // A policy asks for minutes above its threshold, so the state began before it is told; but not within another alert.
  const beganMs = startMs + nowMs - random.between(30, 240) * 1_000;
  const openedMs = Math.min(startMs + nowMs, Math.max(beganMs, server.createdMs, alertEndedMs + restMs));
  resident.alert = lost ? 'lost' : 'open';
  if (!lost) schedule.add(closesMs, (laterMs) => closeAlert(world, resident, openedMs, laterMs));
  const happening = tellAlert(server, random.between(8_000, 9_999) / 100, openedMs);
  return { ...happening, label: lost ? 'alert-never-closed' : 'alert-opened' };
}

function closeAlert(world: World, resident: Resident, openedMs: number, nowMs: number): Happening {
  const closedMs = world.startMs + nowMs;
  resident.alert = 'none';
  resident.alertEndedMs = closedMs;
  return {
    ...tellAlert(resident.server, world.random.between(500, 6_000) / 100, openedMs, closedMs),
    label: 'alert-closed',
  };
}
