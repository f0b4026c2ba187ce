import {
  type Account,
  encodeAccount,
  encodeAlert,
  encodeDeletedServer,
  encodeServer,
  encodeUser,
  type Server,
  type User,
} from './bodies.ts';
import type { Happening } from './item.ts';

export function tellAccount(event: `Account.${'Created' | 'Updated' | 'Deleted'}`, account: Account): Happening {
  return { event, ...about(account, account.alias), parent: account.parentAlias, body: encodeAccount(account) };
}

export function tellUser(event: `User.${'Created' | 'Updated' | 'Deleted'}`, user: User): Happening {
  return { event, ...about(user.account, user.userName), body: encodeUser(user) };
}

export function tellServer(event: `Server.${'Created' | 'Updated'}`, server: Server): Happening {
  return { event, ...about(server.account, server.name), body: encodeServer(server) };
}

export function tellDeletedServer(server: Server): Happening {
  return { event: 'Server.Deleted', ...about(server.account, server.name), body: encodeDeletedServer(server) };
}

/** @param closedMs Undefined while the alert is on. Both times in milliseconds since 1970. */
export function tellAlert(server: Server, cpuPercent: number, openedMs: number, closedMs?: number): Happening {
  const body = encodeAlert(server, cpuPercent, openedMs, closedMs);
  return { event: 'Alert.Notification', ...about(server.account, server.name), body };
}

function about(account: Account, subject: string) {
  return { account: account.alias, subject };
}
