/** What this machine must be fit for: to verify signatures, to keep the time, to have room for the journal, to keep secrets. */
import { access, constants, readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config.ts';
import { type KnownAnswer, knownAnswers } from '../../selftest.ts';
import { type Finding, findingsOf } from './finding.ts';
import { probe, reasonOf } from './probe.ts';

const mb = 1024 * 1024;
/** Below it SQLite, ClickHouse and the log of the system fail one after the other. */
const freeMbMin = 1024;
const answerMsMax = 5_000;
/** A body's own time counts up to a minute ahead of ours (DESIGN §5), and the Date header has whole seconds. */
const clockWarnMs = 5_000;
const clockFailMs = 60_000;

export function checkSignatures(answers: readonly KnownAnswer[] = knownAnswers): Finding[] {
  const { ok, fail } = findingsOf('signatures');
  const failures = answers.flatMap(({ algorithm, usedBy, holds, remedy }) => {
    try {
      if (holds()) return [];
    } catch {
      // As good as a no: the policy of OpenSSL throws.
    }
    return [fail(`this host cannot verify ${algorithm}, which ${usedBy} signs with`, remedy)];
  });
  if (failures.length > 0) return failures;
  return [ok(`known ones verify: ${answers.map(({ algorithm }) => algorithm).join(', ')}`)];
}

/** Against whoever says what time it is; `urls`: the public URL and the APIs of providers. */
export async function checkClock(urls: readonly string[], nowMs: () => number): Promise<Finding[]> {
  const { warn } = findingsOf('clock');
  if (urls.length === 0) return [warn('nobody to compare it with', 'Set HOOKWATCH_PUBLIC_URL.')];
  return Promise.all(urls.map((url) => compareClock(url, nowMs)));
}

async function compareClock(url: string, nowMs: () => number): Promise<Finding> {
  const { ok, warn, fail } = findingsOf('clock');
  const { host } = new URL(url);
  const askedMs = nowMs();
  let date: string;
  try {
    date = String((await probe({ method: 'HEAD', url, timeoutMs: answerMsMax })).headers.date);
  } catch (error) {
    return warn(`not compared with ${host}: ${reasonOf(error)}`, 'See that this machine reaches it, or ignore this.');
  }
  const answeredMs = nowMs();
  const theirMs = Date.parse(date);
  if (Number.isNaN(theirMs)) return warn(`not compared with ${host}: it gives no Date`, 'Ignore this where others do.');
  // It was their time at some moment of the call, in whole seconds.
  const aheadMs = Math.max(0, askedMs - (theirMs + 1_000)) - Math.max(0, theirMs - answeredMs);
  const shown = `${Math.abs(Math.round(aheadMs / 1_000))} s ${aheadMs > 0 ? 'ahead of' : 'behind'} ${host}`;
  if (Math.abs(aheadMs) <= clockWarnMs) return ok(`within ${clockWarnMs / 1_000} s of ${host}`);
  const todo = 'Have it set by NTP (timedatectl set-ntp true): deliveries are dated by this clock.';
  return Math.abs(aheadMs) > clockFailMs ? fail(shown, todo) : warn(shown, todo);
}

export type DiskConfig = Pick<Config, 'dataFolder' | 'journal' | 'outputsBytesMax' | 'kafka'>;

/** Free bytes of the file system that holds a folder. */
export type FreeBytes = (folder: string) => Promise<number>;

/** What the journal and the outputs may still grow to, against what is free. */
export async function checkDisk(config: DiskConfig, freeBytes: FreeBytes = freeBytesOf): Promise<Finding[]> {
  const { ok, warn, fail } = findingsOf('disk');
  const { dataFolder, journal, outputsBytesMax, kafka } = config;
  try {
    await access(dataFolder, constants.R_OK | constants.W_OK);
  } catch (error) {
    const todo = 'Make the folder, as the user that runs the edges (HOOKWATCH_DATA); `npm start` makes it by itself.';
    return [fail(`${dataFolder} cannot be written: ${reasonOf(error)}`, todo)];
  }
  const freeMb = Math.floor((await freeBytes(dataFolder)) / mb);
  const used = await Promise.all(['records', 'outputs'].map((name) => bytesIn(join(dataFolder, name))));
  const usedMb = Math.ceil(used.reduce((sum, bytes) => sum + bytes, 0) / mb);
  const wantedMb = Math.max(0, (journal.bytesMax + (kafka ? 0 : outputsBytesMax)) / mb - usedMb);
  const shown = `${freeMb} MB free at ${dataFolder}`;
  const todo =
    'Free some, give it a larger disk, or lower HOOKWATCH_JOURNAL_MB: below its mark an edge answers 503 by itself.';
  if (freeMb < freeMbMin) return [fail(`${shown}, less than ${freeMbMin}`, todo)];
  if (freeMb < wantedMb)
    return [warn(`${shown}; the journal and what waits for ClickHouse may still take ${Math.ceil(wantedMb)}`, todo)];
  return [ok(shown)];
}

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

async function bytesIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map(async (entry) => (await stat(join(entry.parentPath, entry.name)).catch(() => undefined))?.size ?? 0);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Files with secrets that others than their owner may read. */
export async function checkSecrets({
  dataFolder,
  endpointsFile,
}: Pick<Config, 'dataFolder' | 'endpointsFile'>): Promise<Finding[]> {
  const { ok, warn } = findingsOf('secrets');
  const folder = join(dataFolder, 'secrets');
  const names = await readdir(folder).catch(() => []);
  const files = [endpointsFile, ...names.map((name) => join(folder, name))];
  const modes = await Promise.all(
    files.map(async (file) => ({ file, mode: (await stat(file).catch(() => undefined))?.mode })),
  );
  // A folder that nobody else may enter keeps what is in it.
  const closed = ((await stat(folder).catch(() => undefined))?.mode ?? 0) & 0o077 ? '' : folder;
  const readable = modes.filter(({ file, mode = 0 }) => (mode & 0o077) !== 0 && !(closed && file.startsWith(closed)));
  if (readable.length === 0) return [ok('only their owner may read them')];
  const shown = readable.map(({ file }) => file);
  return [warn(`others may read ${shown.join(', ')}`, `chmod go= ${shown.join(' ')}`)];
}
