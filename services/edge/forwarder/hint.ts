/**
 * Where forwarding was when it was last looked at. It is a hint: without it, or with an old one, records are sent again,
 * which has no effect. So it is written without waiting for the disk.
 */
import { hash } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { FrameError } from '../../core/records/codec.ts';
import { placeOfAnyVersion } from '../../core/records/place.ts';
import type { Log } from '../../ports/log/log.ts';
import type { HeldBoots } from './held.ts';

export interface Hint extends Saved {
  /** Everything before this position of the journal is covered by snapshots. */
  covered: number;
  /** Tenant → everything of it before this position was acknowledged. */
  lanes: Readonly<Record<string, number>>;
}

/** Of each lane the newest snapshot but one that was ever seen. In a lane that is the same it never goes back. */
export interface Saved {
  /** Tenant → its position. */
  savedAt: Readonly<Record<string, number>>;
  /** Tenant → what it holds of this journal, whatever its position. */
  held: Readonly<Record<string, HeldBoots>>;
}

const position = z.number().int().min(0);
const hintSchema = z.object({
  covered: position,
  lanes: z.record(z.string(), position).refine((lanes) => Object.keys(lanes).length > 0),
  savedAt: z.record(z.string(), position).default({}),
  /** Hints of earlier versions have none. */
  held: z.record(z.string(), z.record(z.string(), z.object({ seq: position, at: z.number() }))).default({}),
  /** A record of the journal: the hint is of no other one. */
  newest: z.object({ position, id: z.string() }),
});

/** The hint in a file, if it is of this journal. */
export async function readHint(file: string, journal: Pick<Log, 'read'>): Promise<Hint | undefined> {
  try {
    const { newest, ...hint } = hintSchema.parse(JSON.parse(await readFile(file, 'utf8')));
    return (await idAt(journal, newest.position)) === newest.id ? hint : undefined;
  } catch {
    // None yet, damaged, or of a journal that has let go of the record: all the same.
    return undefined;
  }
}

/** The hint of a forwarder that is at work. */
export interface Hints {
  /** Replaces the one before, if it is another one. */
  write(hint: Hint): Promise<void>;
  /** Removes it, and writes none any more. */
  forget(): Promise<void>;
}

export function createHints(file: string, journal: Pick<Log, 'read'>): Hints {
  let written = '';
  let forgotten = false;
  return {
    async write(hint) {
      const text = JSON.stringify(hint);
      if (text === written || forgotten) return;
      await writeHint(file, journal, hint);
      written = text;
    },
    async forget() {
      forgotten = true;
      await rm(file, { force: true });
    },
  };
}

async function writeHint(file: string, journal: Pick<Log, 'read'>, hint: Hint): Promise<void> {
  const newest = Math.max(...Object.values(hint.lanes)) - 1;
  const id = newest < 0 ? undefined : await idAt(journal, newest);
  if (id === undefined) return;
  const temporary = `${file}.new`;
  await writeFile(temporary, `${JSON.stringify({ ...hint, newest: { position: newest, id } })}\n`, { mode: 0o600 });
  await rename(temporary, file);
}

async function idAt(journal: Pick<Log, 'read'>, position: number): Promise<string | undefined> {
  const [record] = await journal.read(position, { records: 1, bytes: 1 });
  return record?.position === position ? idOf(record.frame) : undefined;
}

/** A frame that is no record tells one journal from another all the same. */
function idOf(frame: Uint8Array): string {
  try {
    return placeOfAnyVersion(frame).id;
  } catch (error) {
    if (error instanceof FrameError) return hash('sha256', frame);
    throw error;
  }
}
