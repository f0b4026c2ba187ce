/** `hookwatch backup DIR`: copies what an installation knows, while it is at work. */
import { parseArgs } from 'node:util';
import { explain } from '../failures.ts';
import { createProgressLine, type Output } from '../replay/progress-line.ts';
import { type BackupSource, backup, toMb } from './backup.ts';

export interface BackupContext extends BackupSource {
  /** Of this code, and the hash of its flow. */
  version: string;
  flow: string;
  /** See BackupOptions. */
  keepUpMs?: number;
  out?: Output;
  error?: Output;
}

export const backupUsage = `Usage: npm run hookwatch -- backup DIR [options]

Copies what Hookwatch knows into a new folder, while it is at work: the records of the lanes, the states of the lanes and
the rows in ClickHouse. hookwatch restore makes an installation of it that goes on where this one was when the command
ended. The folder is written as DIR.partial and has its name once it is whole: \`sha256sum --check SHA256SUMS\` in it
says whether it still is.

No password or key is in it, nor are hookwatch.yaml and the environment: keep those where you keep configuration.
Webhooks and what follows from them are in it as they were received; it is readable for its owner alone.

  --port-offset N   as given to npm start
  --help            this text

Exit code: 0 done, 1 failed (it says why, and leaves nothing), 2 wrong usage or settings.
`;

const options = { 'port-offset': { type: 'string' }, help: { type: 'boolean' } } as const;

/** Resolves to the exit code and never rejects for what a user can put right. */
export async function backupCommand(args: string[], context: BackupContext): Promise<number> {
  const path = pathIn(args, backupUsage);
  const { out = process.stdout, error = process.stderr } = context;
  if (typeof path !== 'string') {
    error.write(path.mistake);
    return 2;
  }
  const line = createProgressLine(error);
  const onStep = (text: string) => {
    line.end();
    out.write(`${text}\n`);
  };
  try {
    const { manifest, bytes } = await backup({ ...context, path, onStep, onProgress: line.say });
    const records = manifest.logs.flatMap(({ files }) => files).reduce((sum, file) => sum + file.records, 0);
    onStep(`Done: ${path} has ${records} records of ${manifest.lanes.length} lanes, ${toMb(bytes)} MB.`);
    return 0;
  } catch (failure) {
    const why = explain(failure);
    line.end();
    error.write(`Failed: ${why}\n`);
    return 1;
  }
}

/** The one folder that the arguments name. */
export function pathIn(args: string[], usage: string): string | { mistake: string } {
  try {
    const { positionals } = parseArgs({ args, options, allowPositionals: true });
    const [path, ...more] = positionals;
    if (path && more.length === 0) return path;
    return { mistake: `Cannot tell which folder is meant: give one\n\n${usage}` };
  } catch (error) {
    return { mistake: `${(error as Error).message}\n\n${usage}` };
  }
}
