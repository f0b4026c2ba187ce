/** `hookwatch restore DIR`: makes an installation of a backup. */
import { pathIn } from '../backup/command.ts';
import { explain } from '../failures.ts';
import { createProgressLine, type Output } from '../replay/progress-line.ts';
import { restore } from './restore.ts';
import type { RestoreTarget } from './target.ts';

export interface RestoreContext {
  target: RestoreTarget;
  /** Hash of this code's flow. */
  flow: string;
  /** Those of hookwatch.yaml. */
  tenants: readonly string[];
  out?: Output;
  error?: Output;
}

export const restoreUsage = `Usage: npm run hookwatch -- restore DIR [options]

Makes an installation of a backup: it goes on where the other one was when it was backed up, and every record has the
position that it had. There must be nothing yet where it is restored, and nobody at work: on one machine an empty data
folder, over Kafka topics that nobody has written to (hookwatch topics --apply) and a ClickHouse without rows. All files
are checked before anything is changed. A restore that was interrupted is begun anew, in an empty place.

  --port-offset N   as given to npm start
  --help            this text

Exit code: 0 done, 1 failed (it says why, and what to do), 2 wrong usage or settings.
`;

/** Resolves to the exit code and never rejects for what a user can put right. */
export async function restoreCommand(args: string[], context: RestoreContext): Promise<number> {
  const path = pathIn(args, restoreUsage);
  const { target, flow, tenants, out = process.stdout, error = process.stderr } = context;
  if (typeof path !== 'string') {
    error.write(path.mistake);
    return 2;
  }
  const line = createProgressLine(error);
  let changed = false;
  const onStep = (text: string) => {
    changed = true;
    line.end();
    out.write(`${text}\n`);
  };
  try {
    const { lanes, takenAt } = await restore({ path, target, flow, onStep, onProgress: line.say });
    const unknown = lanes.map(({ tenant }) => tenant).filter((tenant) => !tenants.includes(tenant));
    if (unknown.length > 0)
      onStep(`Nobody will work on lanes that hookwatch.yaml does not have: ${unknown.join(', ')}.`);
    onStep(
      `Done: start Hookwatch. It goes on where it was at ${takenAt}; hookwatch audit --values compares all of it.`,
    );
    return 0;
  } catch (failure) {
    const why = explain(failure);
    line.end();
    const half = changed ? `\nWhat was restored so far is not whole. Begin anew: ${target.remedy}` : '';
    error.write(`Failed: ${why}${half}\n`);
    return 1;
  } finally {
    await target.close();
  }
}
