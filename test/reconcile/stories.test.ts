/**
 * Random stories: a cloud that changes while it is compared, webhooks that are late or lost, an API that fails, and a
 * process that is killed at any step and started again. Whatever the story:
 *
 * 1. No life of a server is claimed to be over while it goes on.
 * 2. Nothing is claimed that a webhook told, or was about to tell.
 * 3. A claim never takes the place of a newer snapshot.
 * 4. Once all is quiet, one whole comparison makes the state what the API shows, and the next one finds nothing.
 *
 * STORY_SEED runs one story again.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createCenturylinkEstate } from '../../services/reconcile/centurylink.ts';
import type { ToldClaim } from '../../services/reconcile/lane.ts';
import { openProgress, type Progress } from '../../services/reconcile/progress.ts';
import type { Report } from '../../services/reconcile/report.ts';
import { reconcile } from '../../services/reconcile/run.ts';
import { RunError } from '../../services/reconcile/run-error.ts';
import { digestOf } from '../../services/snapshot-digest.ts';
import { createWorld, type Draw, deleted, failure, Killed, type ModelServer, type World } from './world.ts';

const folder = mkdtempSync(join(tmpdir(), 'hookwatch-stories-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Mulberry32. */
function drawsOf(seed: number): Draw {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  };
}

const names = ['A', 'B', 'C', 'D', 'E'];
const accounts = ['ROOT', 'SUB'];

/** Something happens to some server, and its webhook comes soon, late or never. */
function happen(world: World, draw: Draw): void {
  const account = accounts[draw(accounts.length)]!;
  const name = names[draw(names.length)]!;
  const options = { lost: draw(3) === 0, lag: 1 + draw(20), untouched: draw(3) === 0 };
  if (!world.cloud.get(account)!.has(name)) return world.create(account, name, options);
  if (draw(4) === 0) return world.remove(account, name, options);
  const changes: Partial<ModelServer>[] = [
    { cpu: 1 + draw(64) },
    { status: draw(2) === 0 ? 'archived' : 'active' },
    { depth: draw(3) as 0 | 1 | 2 },
    { location: draw(2) === 0 ? 'DE1' : 'WA1' },
  ];
  world.change(account, name, changes[draw(changes.length)]!, options);
}

/** What comes back is what was written then, as of a file. */
function inMemory(): Progress {
  const files = new Map<string, string>();
  const read = (name: string) => (files.has(name) ? JSON.parse(files.get(name)!) : undefined);
  const write = (name: string, value: object) => files.set(name, JSON.stringify(value));
  return {
    folder: '',
    memory: () => read('memory'),
    remember: (memory) => write('memory', memory),
    head: () => read('run/head'),
    saveHead: (head) => write('run/head', head),
    found: (account) => read(`run/${account}.found`),
    saveFound: (found) => write(`run/${found.account}.found`, found),
    told: (account) => read(`run/${account}.told`),
    saveTold: (account, told) => write(`run/${account}.told`, told),
    end() {
      for (const name of files.keys()) if (name.startsWith('run/')) files.delete(name);
    },
  };
}

interface Story {
  world: World;
  /** Compares, started again however often it is killed or fails. */
  compare(): Promise<Report>;
  /** From now on nothing fails, and nobody is killed. */
  calm(): void;
  kills: number;
}

function tell(seed: number): Story {
  const draw = drawsOf(seed);
  let wild = true;
  let busy = 6;
  let kills = 0;
  const kill = () => {
    kills++;
    throw new Killed('killed');
  };
  const world = createWorld({
    accounts,
    meanwhile(current, call) {
      if (busy > 0 && draw(4) === 0) {
        busy--;
        happen(current, draw);
      }
      if (!wild || call === 'wait') return;
      if (draw(60) === 0) throw failure((['FAILED', 'UNREACHABLE', 'TIMED_OUT', 'CIRCUIT_OPEN'] as const)[draw(4)]!);
      if (draw(60) === 0) kill();
    },
    beforeTell(claim) {
      check(world, claim);
      if (wild && draw(12) === 0) kill();
    },
  });
  // What is written to a disk takes its time; that it can be read again needs a few stories only.
  const progress = seed % 15 === 0 ? openProgress(join(folder, String(seed)), 'northwind', 'centurylink') : inMemory();
  let runs = 0;
  const once = () =>
    reconcile({
      tenant: 'northwind',
      roots: ['centurylink:ROOT'],
      estate: createCenturylinkEstate(world.inventory, 'api.ctl.io'),
      known: world.known,
      lane: world.lane,
      progress,
      nowMs: world.nowMs,
      newRunId: () => `run-${++runs}`,
    });
  return {
    world,
    async compare() {
      for (;;) {
        try {
          return await once();
        } catch (error) {
          if (!(error instanceof Killed) && !(error instanceof RunError && error.retryHelps)) throw error;
          world.pass(draw(100));
          busy = Math.max(busy, 3);
        }
      }
    },
    calm() {
      wild = false;
      busy = 0;
      world.quiet();
    },
    get kills() {
      return kills;
    },
  };
}

/** Laws 1 to 3, at the moment of a claim. */
function check(world: World, { eventName, account, body }: ToldClaim): void {
  if (eventName.startsWith('Account.')) return;
  const alias = account.split(':')[1]!;
  const { name, changeInfo } = JSON.parse(body);
  const now = world.cloud.get(alias)!.get(name);
  const life = world.lifeOf(alias, name);
  const onTheirWay = world.onTheirWay();
  if (eventName === 'Server.Deleted') {
    expect(now === undefined || (life !== undefined && now.created > life), `${name} lives`).toBe(true);
    expect(onTheirWay, `a webhook is about to tell it`).not.toContain(`${alias}/${name}/${life}/${deleted}`);
    expect(world.state().has(`${alias}/${name}`), `it is known to be deleted`).toBe(true);
    return;
  }
  const created = Date.parse(changeInfo.createdDate) / 1000;
  const digest = digestOf('centurylink', body);
  expect(onTheirWay, 'a webhook is about to tell it').not.toContain(`${alias}/${name}/${created}/${digest}`);
  expect(world.state().get(`${alias}/${name}`), `${name} is known to be so`).not.toBe(digest);
  // A claim of what has changed since is behind the last thing that any webhook told of it.
  const newer =
    now?.created === created && world.truth().get(`${alias}/${name}`) === world.state().get(`${alias}/${name}`);
  expect(newer, `the state is newer than what is claimed of ${name}`).toBe(false);
}

const stories = process.env.STORY_SEED
  ? [Number(process.env.STORY_SEED)]
  : Array.from({ length: 60 }, (_, at) => at + 1);

test('whatever happens meanwhile, claims are right, and in the end the state is what the API shows', async () => {
  let kills = 0;
  let claims = 0;
  let deletions = 0;
  for (const seed of stories) {
    try {
      const story = tell(seed);
      const draw = drawsOf(seed + 1_000_000);
      for (let before = draw(12); before > 0; before--) happen(story.world, draw);
      story.world.quiet();
      for (let comparison = 0; comparison < 4; comparison++) {
        await story.compare();
        for (let between = draw(6); between > 0; between--) happen(story.world, draw);
        story.world.pass(draw(3_600));
      }
      story.calm();
      const last = await story.compare();
      expect(last.complete).toBe(true);
      const contradicted = story.world.contradicted();
      const shown = [...story.world.truth()].filter(([at]) => !contradicted.includes(at));
      expect(story.world.state()).toEqual(new Map(shown));
      expect(last.accounts.reduce((sum, each) => sum + each.contradictions, 0)).toBe(contradicted.length);
      story.world.pass(86_400);
      expect((await story.compare()).claims).toEqual([]);
      kills += story.kills;
      claims += story.world.told.length;
      deletions += story.world.told.filter(({ eventName }) => eventName === 'Server.Deleted').length;
    } catch (error) {
      throw new Error(`STORY_SEED=${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  // Otherwise nothing was tried.
  if (stories.length > 1) expect(Math.min(kills, claims, deletions)).toBeGreaterThan(20);
});
