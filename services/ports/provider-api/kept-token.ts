/** A bearer token that is asked for once and used until it is old or refused, also by the processes that come after. */
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { replace } from '../../secrets.ts';

export interface KeptTokenOptions {
  /** Folder of a file that only its owner may read; undefined: the token lives as long as this process. */
  folder: string | undefined;
  /** Whose token it is: base URL and user. Their hash names the file. */
  owner: string;
  /** It is not used for longer. */
  ageMsMax: number;
  request(): Promise<string>;
  nowMs?: () => number;
}

export interface KeptToken {
  /** Asks for one at most once at a time, whoever waits for it. */
  get(): Promise<string>;
  /** It is not used any more, here and by whoever comes after. */
  discard(token: string): void;
  /** The token in use, if there is any. */
  current(): string | undefined;
}

const fileSchema = z.object({ token: z.string().min(1), obtained_at: z.number() });

export function createKeptToken(options: KeptTokenOptions): KeptToken {
  const { folder, owner, ageMsMax, request, nowMs = Date.now } = options;
  const name = `provider-token-${createHash('sha256').update(owner).digest('hex').slice(0, 16)}.json`;
  const file = folder && join(folder, name);
  let kept = file ? readKept(file) : undefined;
  let pending: Promise<string> | undefined;

  async function renew(): Promise<string> {
    const token = await request();
    kept = { token, obtained_at: nowMs() };
    if (file) replace(file, `${JSON.stringify(kept)}\n`);
    return token;
  }

  return {
    async get() {
      const ageMs = kept ? nowMs() - kept.obtained_at : Number.NaN;
      // From the future: the clock was set back since, and how old it is cannot be said.
      if (kept && ageMs >= 0 && ageMs < ageMsMax) return kept.token;
      pending ??= renew().finally(() => {
        pending = undefined;
      });
      return pending;
    },
    discard(token) {
      if (kept?.token !== token) return;
      kept = undefined;
      if (file) rmSync(file, { force: true });
    },
    current: () => kept?.token,
  };
}

/** What others can read is no secret any more, and what is damaged is no token: both are asked for anew. */
function readKept(file: string): z.infer<typeof fileSchema> | undefined {
  try {
    if ((statSync(file).mode & 0o077) !== 0) return undefined;
    return fileSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}
