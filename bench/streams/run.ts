/** One run of a side over all lanes, watched from outside. */
import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { temporaryFolder } from '../child.ts';
import type { Arena } from './arena.ts';
import type { Side } from './side.ts';

/** How far a run had come at a moment. */
interface Mark {
  atMs: number;
  records: number;
  /** Seconds of CPU that the program and the broker had taken. */
  cpu: { program: number; broker: number };
}

export interface Run {
  /** Records per second from the first output on. */
  perSecond: number;
  /** Over the second half of the records, when nothing starts up and nothing is compiled any more. */
  steadyPerSecond: number;
  /** Records per second of the program's CPU, over the second half. */
  perCpuSecond: number;
  /** Share of a core that the broker took in the second half. */
  brokerCpu: number;
}

const pollIntervalMs = 100;
const idleMsMax = 60_000;

/** Runs a side from the beginning of the lanes until each of their `total` records has led to its output. */
export async function runSide(arena: Arena, side: Side, total: number, brokerPid: number): Promise<Run> {
  using folder = temporaryFolder();
  await using program = await side.start(folder.path);
  const pid = program.process.pid!;
  const marks: Mark[] = [];
  let changedMs = performance.now();
  while ((marks.at(-1)?.records ?? 0) < total) {
    await wait(pollIntervalMs);
    if (program.process.exitCode !== null) throw new Error(`${side.name} ended with code ${program.process.exitCode}`);
    // Each record leads to one of either kind, whatever else it leads to.
    const records = await arena.count([side.topics.delivery, side.topics.control]);
    const cpu = { program: cpuSeconds(pid), broker: cpuSeconds(brokerPid) };
    const mark = { atMs: performance.now(), records, cpu };
    if (records > (marks.at(-1)?.records ?? 0)) changedMs = mark.atMs;
    if (mark.atMs > changedMs + idleMsMax) throw new Error(`${side.name} stands still at ${records} of ${total}`);
    marks.push(mark);
  }
  return measure(marks, total);
}

function measure(marks: readonly Mark[], total: number): Run {
  const first = marks.find(({ records }) => records > 0)!;
  const half = marks.find(({ records }) => records >= total / 2)!;
  const last = marks.at(-1)!;
  const records = last.records - half.records;
  return {
    perSecond: (last.records - first.records) / secondsBetween(first, last),
    steadyPerSecond: records / secondsBetween(half, last),
    perCpuSecond: records / (last.cpu.program - half.cpu.program),
    brokerCpu: (last.cpu.broker - half.cpu.broker) / secondsBetween(half, last),
  };
}

function secondsBetween(from: Mark, to: Mark): number {
  return (to.atMs - from.atMs) / 1_000;
}

/** User and system time of a process, in hundredths as Linux counts it. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
