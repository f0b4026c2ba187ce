import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';

/** What the journal holds of a lane: the id of its settings, and the boot that wrote to it last. */
export interface LaneState {
  settings: string;
  boot: string;
}

export type Lanes = Readonly<Record<string, LaneState>>;

/**
 * What an edge remembers over restarts. `opening` is what the lanes will be once the records that open a boot are in
 * the journal: it is written before them, and holds as soon as the journal has grown beyond `position`.
 */
export interface EdgeState {
  lanes: Lanes;
  opening?: { position: number; lanes: Lanes } | undefined;
}

const lanesSchema = z.record(z.string(), z.object({ settings: z.string(), boot: z.string() }));
const stateSchema = z.object({
  lanes: lanesSchema,
  opening: z.object({ position: z.number(), lanes: lanesSchema }).optional(),
});

/**
 * The state in a file; empty when there is none. A lost file is harmless: the lanes are opened once more, and the flow
 * ignores a second genesis. A damaged one therefore counts as lost, and is reported to `onDamage`.
 */
export async function readState(file: string, onDamage: (error: unknown) => void): Promise<EdgeState> {
  try {
    return stateSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') onDamage(error);
    return { lanes: {} };
  }
}

export function writeState(file: string, state: EdgeState): Promise<void> {
  return replaceText(file, `${JSON.stringify(state, null, 2)}\n`);
}

/** Replaces the file as a whole: what stands there is the old text or the new one, also after a power cut. */
export async function replaceText(file: string, text: string): Promise<void> {
  const temporary = `${file}.new`;
  await using handle = await open(temporary, 'w', 0o600);
  await handle.writeFile(text);
  await handle.sync();
  await rename(temporary, file);
  await using folder = await open(dirname(file));
  await folder.sync();
}

/** The lanes as they stand in a journal whose next position is `next`. An empty journal knows no lane. */
export function lanesInJournal({ lanes, opening }: EdgeState, next: number): Lanes {
  if (next === 0) return {};
  return opening && next > opening.position ? opening.lanes : lanes;
}
