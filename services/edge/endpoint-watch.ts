/**
 * Reads endpoints.json again while an edge works, and keeps what it said until it says something better.
 *
 *     endpoints.json, changed ──▶ whole and usable? ──yes──▶ listened to from the next request on, and copied
 *                                        └──no──▶ what was listened to before still is; an error in the log, a remark in /readyz
 *
 * The copy is for an edge that starts while the file is damaged or gone: hookwatch.yaml alone would take tokens that have
 * ended, and refuse those that were added. hookwatch.yaml itself is read again upon SIGHUP only: people write it by hand,
 * and half of it may look like all of it.
 */
import { mkdirSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Logger } from 'pino';
import { ConfigError } from '../config.ts';
import {
  mergeEndpoints,
  noEndpoints,
  parseEndpoints,
  type ReadEndpoints,
  readEndpointsFile,
  renderEndpoints,
  secretFilesOf,
  secretPath,
} from '../endpoints-file.ts';
import type { EdgeMetrics } from '../telemetry.ts';
import type { Listened } from './endpoint-set.ts';
import { replaceText } from './state.ts';

export interface EndpointWatchOptions {
  file: string;
  /** Where the last content that was usable is kept. */
  copyFile: string;
  /** What hookwatch.yaml says at the start. */
  configured: Listened;
  /** Reads hookwatch.yaml again. Throws where it is unusable. */
  readConfigured: () => Listened;
  metrics: EdgeMetrics;
  logger: Logger;
  /** Between two looks at the file. */
  intervalMs?: number;
  monotonicMs?: () => number;
  source?: EndpointSource;
}

/** The file as it is looked at while the edge works. */
export interface EndpointSource {
  /** Another one where the file is another one; undefined where there is none. */
  mark(): Promise<string | undefined>;
  text(): Promise<string>;
  /** A secret that endpoints.json names by this file. */
  secret(file: string): Promise<string>;
}

export interface EndpointWatch {
  /** What is listened to now. */
  listened(): Listened;
  /** Looks at the file from now on. `replace` is given what is to be listened to; it throws where that is unusable. */
  start(replace: (listened: Listened) => void): void;
  /** Reads hookwatch.yaml and endpoints.json again; resolves when that is done. Never rejects. */
  reload(): Promise<void>;
  /** What is wrong, for /readyz. */
  remarks(): string[];
  stop(): void;
}

interface State {
  configured: Listened;
  read: ReadEndpoints;
}

const intervalMsByDefault = 1_000;
/** A file system that hangs does not hang the edge; it is told of. */
const silentMsMax = 10_000;
/** Of some ten thousand endpoints. */
const fileBytesMax = 8 * 1024 * 1024;

/** @throws ConfigError where endpoints.json is unusable and there is no copy of it. */
export function watchEndpoints(options: EndpointWatchOptions): EndpointWatch {
  const { file, copyFile, readConfigured, metrics, logger, configured } = options;
  const {
    intervalMs = intervalMsByDefault,
    monotonicMs = () => performance.now(),
    source = fileSource(file),
  } = options;
  const lanes = new Set(configured.tenants.map(({ name }) => name));
  const begun = readAtStart(file, copyFile, configured);
  let state: State = { configured, read: begun.read };
  let merged = mergeEndpoints(configured.tenants, begun.read);
  let newTenants: string[] = [];
  /** What is wrong with each; empty where nothing is. */
  const refused = { configured: '', read: '' };
  let mark: string | undefined;
  let lookedAtMs = monotonicMs();
  let replace: (listened: Listened) => void = () => {};
  let timer: NodeJS.Timeout | undefined;
  let work: Promise<void> = Promise.resolve();
  let waiting = 0;
  if (begun.error) refuse('read', begun.error);

  function refuse(which: keyof State, error: Error): void {
    metrics.endpointsRefused.set(1);
    if (refused[which] === error.message) return;
    refused[which] = error.message;
    logger.error({ err: error }, 'Endpoints were not read again: those before are listened to');
  }

  function accept(which: keyof State): void {
    refused[which] = '';
    metrics.endpointsRefused.set(refused.configured || refused.read ? 1 : 0);
  }

  async function listen(next: State): Promise<void> {
    const tenants = next.configured.tenants.filter(({ name }) => lanes.has(name));
    const candidate = mergeEndpoints(tenants, next.read);
    replace({ tenants: candidate.tenants, keys: next.configured.keys });
    merged = candidate;
    state = next;
    logger.info({ revision: next.read.content.revision }, 'Endpoints were read again');
    await keepCopy();
  }

  async function keepCopy(): Promise<void> {
    if (state.read === noEndpoints) return;
    try {
      mkdirSync(dirname(copyFile), { recursive: true });
      await replaceText(copyFile, renderEndpoints(state.read.content));
    } catch (error) {
      logger.warn({ err: error, file: copyFile }, 'Cannot keep a copy of the endpoints');
    }
  }

  /** What the file says now: the same object where it has not changed. */
  async function read(): Promise<ReadEndpoints> {
    const found = await source.mark();
    lookedAtMs = monotonicMs();
    if (found === undefined && state.read === noEndpoints) return noEndpoints;
    if (found === undefined) throw new ConfigError(`Cannot read ${file}: it is gone`);
    if (found === mark && refused.read === '') return state.read;
    const content = parseEndpoints(await source.text(), file);
    const secrets = secretFilesOf(content).map(async (secret) => [secret, await source.secret(secret)] as const);
    const secretTexts = new Map(await Promise.all(secrets));
    mark = found;
    return { content, secretTexts };
  }

  async function look(): Promise<void> {
    try {
      const next = await read();
      if (next !== state.read) await listen({ ...state, read: next });
      accept('read');
    } catch (error) {
      refuse('read', error as Error);
    }
  }

  /** Both at once: what moves from one file to the other is never missing. */
  async function rereadAll(): Promise<void> {
    mark = undefined;
    const next = await read().catch((error: Error) => refuse('read', error));
    try {
      const wanted = readConfigured();
      await listen({ configured: wanted, read: next ?? state.read });
      newTenants = wanted.tenants.map(({ name }) => name).filter((name) => !lanes.has(name));
      if (next) accept('read');
      accept('configured');
    } catch (error) {
      refuse('configured', error as Error);
    }
  }

  function queue(task: () => Promise<void>): Promise<void> {
    waiting++;
    work = work.then(task).finally(() => {
      waiting--;
    });
    return work;
  }

  return {
    listened: () => ({ tenants: merged.tenants, keys: state.configured.keys }),
    start(how) {
      replace = how;
      void queue(keepCopy);
      timer = setInterval(() => {
        if (waiting === 0) void queue(look);
      }, intervalMs);
      timer.unref();
    },
    reload: () => queue(rereadAll),
    remarks() {
      const silentMs = monotonicMs() - lookedAtMs;
      const silent = timer !== undefined && silentMs > silentMsMax;
      return [
        ...Object.values(refused)
          .filter(Boolean)
          .map((message) => `the endpoints before are listened to: ${message}`),
        ...(silent ? [`${basename(file)} could not be looked at for ${Math.round(silentMs / 1000)} s`] : []),
        ...newTenants.map((name) => `tenant ${name} is new: it begins when the edge starts again`),
        ...merged.remarks,
      ];
    },
    stop: () => clearInterval(timer),
  };
}

/** What to begin with: the file, or the copy where the file is damaged or gone, and why. */
function readAtStart(
  file: string,
  copyFile: string,
  { tenants }: Listened,
): {
  read: ReadEndpoints;
  error?: Error;
} {
  const copy = readCopy(copyFile, file);
  try {
    const read = readEndpointsFile(file);
    if (read === noEndpoints && copy) throw new ConfigError(`Cannot read ${file}: it is gone`);
    mergeEndpoints(tenants, read);
    return { read };
  } catch (error) {
    if (!copy) throw error;
    mergeEndpoints(tenants, copy);
    return { read: copy, error: error as Error };
  }
}

function readCopy(copyFile: string, file: string): ReadEndpoints | undefined {
  try {
    const copy = readEndpointsFile(copyFile, file);
    return copy === noEndpoints ? undefined : copy;
  } catch {
    // It stands in for a file that is most likely good.
    return undefined;
  }
}

function fileSource(file: string): EndpointSource {
  return {
    async mark() {
      try {
        const found = await stat(file, { bigint: true });
        if (!found.isFile() || found.size > fileBytesMax) {
          throw new ConfigError(`Cannot use ${file}: it is no file of at most ${fileBytesMax} bytes`);
        }
        return `${found.mtimeNs} ${found.size} ${found.ino}`;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
    text: () => readFile(file, 'utf8'),
    secret: async (secret) => (await readFile(secretPath(file, secret), 'utf8')).trim(),
  };
}
