/** What happens to accounts and their users. */
import { tellAccount, tellUser } from './happenings.ts';
import type { Happening } from './item.ts';
import { announceServer } from './servers.ts';
import { restMs, settle, type World } from './world.ts';

const dayMs = 86_400_000;

/** An account that was there before the start shows itself; its users and servers are known from then on. */
export function introduceAccount(world: World, serverCount: number): Happening {
  const { estate, random, old, startMs } = world;
  const parent = old.length > 0 && random.chance(0.2) ? random.pick(old).alias : estate.root;
  const account = estate.createAccount(world.branch !== undefined && random.chance(0.5) ? world.branch : parent);
  old.push(account);
  world.accounts.push(account);
  for (let count = random.between(1, 3); count > 0; count -= 1) {
    world.users.push({ user: estate.createUser(account), told: false });
  }
  for (let count = serverCount; count > 0; count -= 1) {
    const createdMs = startMs - random.between(1, 700) * dayMs - random.between(0, dayMs);
    const server = estate.createServer(account, createdMs);
    estate.startServer(server, createdMs);
    settle(world, server, -restMs);
  }
  return tellAccount('Account.Updated', account);
}

/** A new customer: a user, and a few servers at most. */
export function createAccount(world: World, nowMs: number): Happening {
  const { estate, random, schedule } = world;
  const account = estate.createAccount();
  const user = estate.createUser(account);
  world.accounts.push(account);
  schedule.add(nowMs + random.between(1_000, 2_000), () => {
    world.users.push({ user, told: true });
    return tellUser('User.Created', user);
  });
  for (let count = random.between(0, world.serversOfNewcomerMax); count > 0; count -= 1) {
    schedule.add(nowMs + random.between(2_000, 8_000), (laterMs) => announceServer(world, account, laterMs));
  }
  return tellAccount('Account.Created', account);
}

/** A customer who comes, looks and leaves within the run. */
export function createTrialAccount(world: World, nowMs: number): Happening {
  const { estate, schedule, runMs } = world;
  const account = estate.createAccount();
  const user = estate.createUser(account);
  schedule.add(nowMs + 0.02 * runMs, () => tellUser('User.Created', user));
  schedule.add(nowMs + 0.55 * runMs, () => tellUser('User.Deleted', user));
  // No document shows this body: taken to be the account as it last was.
  schedule.add(nowMs + 0.6 * runMs, () => tellAccount('Account.Deleted', { ...account, status: 'Deleted' }));
  return tellAccount('Account.Created', account);
}

export function updateAccount(world: World): Happening {
  const account = world.random.pick(world.accounts);
  world.estate.changeAccount(account);
  return tellAccount('Account.Updated', account);
}

export function createUser(world: World): Happening {
  const user = world.estate.createUser(world.random.pick(world.accounts));
  world.users.push({ user, told: true });
  return tellUser('User.Created', user);
}

export function updateUser(world: World): Happening {
  const known = world.random.pick(world.users);
  if (known.told && world.random.chance(0.4)) {
    return { ...tellUser('User.Updated', known.user), label: 'password-change' };
  }
  world.estate.changeUser(known.user);
  known.told = true;
  return tellUser('User.Updated', known.user);
}

export function deleteUser(world: World): Happening | undefined {
  const { users, accounts, random } = world;
  if (users.length <= accounts.length) return undefined;
  const [gone] = users.splice(random.between(0, users.length - 1), 1);
  return tellUser('User.Deleted', gone!.user);
}
