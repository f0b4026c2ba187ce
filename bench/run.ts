/** `npm run bench`: how fast Hookwatch is on this machine, mostly as ratios to what no program could do without. */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { backup } from './backup.ts';
import { edge } from './edge.ts';
import { type Bench, type Figure, isMet } from './figure.ts';
import { flow } from './flow.ts';
import { kafka } from './kafka.ts';
import { latency } from './latency.ts';
import { memory } from './memory.ts';
import { restore } from './restore.ts';
import { sink } from './sink.ts';

const benches: readonly Bench[] = [edge, flow, sink, latency, memory, kafka, restore, backup];

const usage = `Usage: npm run bench -- [bench ...]

${benches.map(({ name, about }) => `  ${name.padEnd(8)} ${about}`).join('\n')}

Without a name: all of them, in about seven minutes. Where two sides are compared they run in turn, in the same minute:
shown are the median of the ratios, the lowest and the highest. Progress goes to stderr, the table to stdout.
Exit codes: 0 done, goals met or not; 1 failed; 2 wrong usage.
`;

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, options: { help: { type: 'boolean' } }, allowPositionals: true });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const unknown = positionals.filter((name) => !benches.some((bench) => bench.name === name));
  if (unknown.length > 0) {
    process.stderr.write(`There is no bench ${unknown.join(', ')}\n\n${usage}`);
    return 2;
  }
  process.stdout.write(`${describeMachine()}\n`);
  for (const { name, run } of benches) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    const figures = await run((line) => process.stderr.write(`${name}: ${line}\n`));
    process.stdout.write(formatFigures(name, figures));
  }
  return 0;
}

function describeMachine(): string {
  const cores = cpus();
  return `${cores.length} cores (${cores[0]?.model.trim() || 'unknown model'}), Node ${process.version}, ${process.platform}-${process.arch}`;
}

/** A table of one bench: `name   goal   measured   lowest – highest`. */
function formatFigures(name: string, figures: readonly Figure[]): string {
  const lines = figures.map((figure) => {
    const { goal, value, min, max, unit } = figure;
    const met = isMet(figure);
    const columns = [
      figure.name.padEnd(52),
      (goal ? ('atLeast' in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`) : '').padEnd(8),
      `${formatNumber(value)} ${unit}`.trim().padStart(12),
      `${formatNumber(min)} – ${formatNumber(max)}`.padStart(20),
      met === undefined ? '' : met ? 'met' : 'missed',
    ];
    return `  ${columns.join('  ').trimEnd()}\n`;
  });
  const head = `\n${name.padEnd(54)}  ${'goal'.padEnd(8)}  ${'measured'.padStart(12)}  ${'lowest – highest'.padStart(20)}\n`;
  return head + lines.join('');
}

function formatNumber(value: number): string {
  const digits = Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const wrongUsage = (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`${wrongUsage ? (error as Error).message : ((error as Error).stack ?? error)}\n`);
  process.exitCode = wrongUsage ? 2 : 1;
}
