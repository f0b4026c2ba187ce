import { type Bench, type Figure, figureOf, quantileOf } from './figure.ts';
import { type Load, runSystem } from './system-run.ts';

/** Spread is told by windows of the run this long. */
const windowMs = 4_000;

/** From the moment at which a POST is due to the moment at which its event is a row that a query sees. */
export const latency: Bench = {
  name: 'latency',
  about: 'POST to a visible row at 500/s through the whole system: p50 and p99',
  async run(say) {
    const [p99, ...others] = figuresOfLatency((await runSystem(say)).load, say);
    return [{ ...p99!, goal: { atMost: 1_000 } }, ...others];
  },
};

/** From POST to row and from POST to answer, the slowest of a hundred first. */
export function figuresOfLatency({ sent, visibleMs }: Load, say: (line: string) => void): Figure[] {
  const rows = sent.flatMap(({ dueMs }, index) => {
    const atMs = visibleMs[index];
    return atMs === undefined ? [] : [{ dueMs, tookMs: atMs - dueMs }];
  });
  const refused = sent.filter(({ id }) => id === undefined).length;
  if (rows.length < sent.length) say(`${sent.length} sent, ${refused} not accepted, ${rows.length} seen as rows`);
  const answers = sent.map(({ dueMs, answeredMs }) => ({ dueMs, tookMs: answeredMs - dueMs }));
  return [
    figureOfQuantile('POST to row, p99', rows, 0.99),
    figureOfQuantile('POST to row, p50', rows, 0.5),
    figureOfQuantile('POST to 202, p99', answers, 0.99),
    figureOfQuantile('POST to 202, p50', answers, 0.5),
  ];
}

function figureOfQuantile(name: string, taken: readonly { dueMs: number; tookMs: number }[], quantile: number) {
  const windows = [...Map.groupBy(taken, ({ dueMs }) => Math.floor((dueMs - taken[0]!.dueMs) / windowMs)).values()];
  const of = (part: readonly { tookMs: number }[]) =>
    quantileOf(
      part.map(({ tookMs }) => tookMs),
      quantile,
    );
  return figureOf({ name, unit: 'ms', value: of(taken) }, windows.map(of));
}
