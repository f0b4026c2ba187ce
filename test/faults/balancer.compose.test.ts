/** Providers never send again: so no edge may cost a delivery, neither by a planned restart nor by its death. */
import { expect, test, vi } from 'vitest';
import { type Balanced, type EdgeName, names, sendThrough } from './balancer.ts';

const rounds = 3;
/** Each edge in turn, several times. */
const turns: readonly EdgeName[] = Array.from({ length: rounds }, () => names).flat();

test('edges are restarted one after the other: every delivery is taken in, and none twice', async () => {
  const { lost, missing, duplicates } = await sendThrough(async ({ signal, start, pass }) => {
    for (const name of turns) {
      expect(await signal(name, 'SIGTERM')).toBe(0);
      await start(name);
      // The next one goes down as soon as this one is up: Caddy need not have seen that yet.
      await pass(20);
    }
  });
  expect({ lost: [...lost], missing, duplicates }).toEqual({ lost: [], missing: [], duplicates: 0 });
});

test('edges are killed: every delivery is taken in, some of them twice', async () => {
  let triedAgain = 0;
  const { lost, missing, duplicates } = await sendThrough(async (balanced) => {
    await killEach(balanced);
    const retries = balanced.caddy.log().map((line) => JSON.parse(line).retries ?? 0);
    triedAgain = retries.filter((count) => count > 0).length;
  });
  expect(triedAgain).toBeGreaterThan(0);
  expect({ lost: [...lost], missing }).toEqual({ lost: [], missing: [] });
  // On the disk of an edge that died before its answer: only what was tried again can be.
  expect(duplicates).toBeLessThanOrEqual(triedAgain);
});

test('without second tries a killed edge costs deliveries: so these tests can tell', async () => {
  const { lost, missing } = await sendThrough(killEach, withoutSecondTries);
  expect(lost.size).toBeGreaterThan(0);
  expect(missing).toEqual([]);
});

test('an edge stands still: its deliveries go to the other', async () => {
  const { lost, missing } = await sendThrough(async ({ caddy, address, signal, pass }) => {
    for (const name of names) {
      const noted = (msg: string) => countNotes(caddy.log(), msg, address[name]);
      const ups = noted('host is up');
      await signal(name, 'SIGSTOP');
      await vi.waitFor(() => expect(noted('HTTP request failed')).toBeGreaterThan(0), { timeout: 20_000 });
      await pass(100);
      await signal(name, 'SIGCONT');
      await vi.waitFor(() => expect(noted('host is up')).toBeGreaterThan(ups), { timeout: 20_000 });
    }
  });
  expect({ lost: [...lost], missing }).toEqual({ lost: [], missing: [] });
});

async function killEach({ signal, start, pass }: Balanced): Promise<void> {
  for (const name of turns) {
    await signal(name, 'SIGKILL');
    await pass(50);
    await start(name);
    await pass(50);
  }
}

/** How often Caddy's health checks have logged this of an edge. */
function countNotes(log: readonly string[], msg: string, host: string): number {
  return log.map((line) => JSON.parse(line)).filter((entry) => entry.msg === msg && entry.host === host).length;
}

function withoutSecondTries(text: string): string {
  const without = text.replace(/\n\t+lb_retry_match \{[^}]*\}[^}]*\}[^}]*\}\n/, '\n').replace(/\n\t+lb_try_.*/g, '');
  expect(without).not.toMatch(/lb_(retry|try)/);
  return without;
}
