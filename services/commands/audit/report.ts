import { viewOf } from '../../ports/warehouse/tables.ts';
import type { LaneAudit, TableAudit } from './audit.ts';
import type { Depth } from './fingerprint.ts';

/** Whether ClickHouse has what the lane leads to; not where a lane's records could not be held against anything. */
export function isEqual({ from, after, until, tables }: LaneAudit): boolean {
  return (until > after || from === 'empty') && tables.every(isTableEqual);
}

function isTableEqual({ count, hoursLeft, beyond }: TableAudit): boolean {
  return count === 0 && hoursLeft === 0 && beyond === undefined;
}

/**
 * ```
 * northwind: equal: 51235 records, positions 0 to 51234, from the lane's first record
 *   deliveries        4800 rows  positions 3 to 51230
 *   events            4799 rows  1 differs
 *     0199c2d0a7b1-5e…  missing
 * ```
 */
export function formatAudit(audit: LaneAudit, depth: Depth): string {
  const { tenant, from, after, until, records, gaps, tables } = audit;
  if (until <= after && tables.every(isTableEqual)) return `${tenant}: nothing to compare: ${emptiness(audit)}\n`;
  const begin = from === 'genesis' ? "from the lane's first record" : `behind the checkpoint at ${after}`;
  const verdict = isEqual(audit) ? `equal${depth === 'values' ? ' in every value' : ''}` : 'ClickHouse differs';
  return [
    `${tenant}: ${verdict}: ${records} records, positions ${after + 1} to ${until}, ${begin}`,
    ...gaps.map(
      ({ boot, edge, missing }) => `  the lane itself lacks ${missing} of ${edge || 'an edge'}, boot ${boot}`,
    ),
    ...tables.flatMap(formatTable),
    '',
  ].join('\n');
}

function emptiness({ from, until }: LaneAudit): string {
  if (from === 'empty') return 'the log holds none of its records';
  return until < 0 ? 'its worker has saved no checkpoint yet' : `its only checkpoint is at ${until}`;
}

function formatTable({ kind, rows, positions, differences, count, hoursLeft, beyond }: TableAudit): string[] {
  const name = viewOf[kind].split('.')[1]!;
  const notes = [
    ...(kind === 'delivery' && positions ? [`positions ${positions.first} to ${positions.last}`] : []),
    ...(rows.lane === rows.stored ? [] : [`the lane leads to ${rows.lane}`]),
    ...(count > 0 ? [`${count} ${count === 1 ? 'differs' : 'differ'}`] : []),
    ...(hoursLeft > 0 ? [`${hoursLeft} more hours with differences`] : []),
    ...(beyond === undefined ? [] : [`there is one of position ${beyond}, behind the end of the log`]),
  ];
  return [
    `  ${name.padEnd(10)} ${String(rows.stored).padStart(10)} rows${notes.length === 0 ? '' : `  ${notes.join(', ')}`}`,
    ...differences.map(({ id, what, detail }) => `    ${id}  ${what}${detail === '' ? '' : `: ${detail}`}`),
    ...(count > differences.length ? [`    and ${count - differences.length} more`] : []),
  ];
}
