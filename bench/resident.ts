import { spawnSync } from 'node:child_process';

/** Megabytes of memory that each process of an installation holds, by its part: `{ edge: 80, supervisor: 60 }`. */
export type Resident = Record<string, number>;

/** Asks `ps` for a supervisor and its children. */
export function readResident(supervisorPid: number): Resident {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid=,rss=,args='], { encoding: 'utf8' });
  const resident: Resident = {};
  for (const line of stdout.split('\n')) {
    const [pid, parent, kilobytes, ...args] = line.trim().split(/\s+/);
    if (Number(pid) === supervisorPid) resident.supervisor = Number(kilobytes) / 1024;
    else if (Number(parent) === supervisorPid) resident[args.at(-1)!] = Number(kilobytes) / 1024;
  }
  return resident;
}
