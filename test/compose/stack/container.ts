/**
 * A container made of Linux' own namespaces: its own root, processes, network, name, and no rights but those it is
 * given. All of it ends with its first process, and that ends with whoever started it.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Mount {
  source: string;
  target: string;
  readOnly: boolean;
}

export interface Attachment {
  bridge: string;
  /** In the machine's namespace; up to 15 characters. */
  link: string;
  address: string;
  prefix: number;
  gateway: string;
  /** No way out of it. */
  internal: boolean;
}

export interface ContainerPlan {
  name: string;
  /** Folders whose contents make up the root, the uppermost first. */
  layers: string[];
  /** This machine's programs are in its /usr, below what the layers have there. */
  usrOfMachine: boolean;
  mounts: Mount[];
  /** As compose has it: a path, then options of the mount behind a colon. */
  tmpfs: string[];
  readOnly: boolean;
  command: string[];
  environment: Record<string, string>;
  workingFolder: string;
  uid: number;
  gid: number;
  /** Names as in capabilities(7), in lower case and without cap_. */
  capabilities: string[];
  noNewPrivileges: boolean;
  attachments: Attachment[];
}

export interface Execution {
  code: number;
  output: string;
}

export interface Container {
  readonly plan: ContainerPlan;
  /** Exit code of the first process; 128 + n where signal n ended it. */
  readonly ended: Promise<number>;
  /** What it has printed so far, the last 200,000 characters of it. */
  output(): string;
  signal(signal: NodeJS.Signals): void;
  /** Runs a command in it as its user, or as a root without limits of its rights. */
  execute(command: string[], options?: { msMax?: number; asRoot?: boolean }): Promise<Execution>;
  /** Largest resident memory of its first process so far, in bytes. */
  memoryBytesMax(): number;
}

const outputCharactersMax = 200_000;
const sigkill = 9;
const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
const shell = (...words: string[]) => words.map(quote).join(' ');

/** `folder` is the container's own, and `hostPid` a process of the machine that it runs on. */
export async function startContainer(plan: ContainerPlan, folder: string, hostPid: number): Promise<Container> {
  mkdirSync(folder, { recursive: true });
  const script = join(folder, 'start.sh');
  writeFileSync(script, startScript(plan, folder, hostPid));
  const namespaces = ['--mount', '--net', '--uts', '--ipc'];
  const outer = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', ...namespaces, 'sh', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [outer.stdout, outer.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-outputCharactersMax);
    });
  }
  const ended = new Promise<number>((resolve, reject) => {
    outer.on('error', reject);
    outer.on('close', (code) => resolve(code ?? 128 + sigkill));
  });
  await once(outer, 'spawn');
  const outerPid = outer.pid!;
  return {
    plan,
    ended,
    output: () => output,
    signal(signal) {
      const pid = firstProcess(outerPid);
      if (pid !== undefined) process.kill(pid, signal);
      // Nothing runs in it yet.
      else if (signal === 'SIGKILL') outer.kill(signal);
    },
    async execute(command, { msMax = 30_000, asRoot = false } = {}) {
      const pid = firstProcess(outerPid);
      if (pid === undefined) return { code: 1, output: 'nothing runs in the container' };
      const enter = ['--target', `${pid}`, '--mount', '--uts', '--ipc', '--net', '--pid', '--root', '--wd'];
      return run('nsenter', [...enter, ...(asRoot ? command : withRights(plan, command))], msMax);
    },
    memoryBytesMax() {
      const pid = firstProcess(outerPid);
      const peak = pid && /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      return Number(peak ?? 0) * 1024;
    },
  };
}

function run(program: string, args: string[], msMax: number): Promise<Execution> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: msMax, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      const code = typeof error?.code === 'number' ? error.code : error ? 128 + sigkill : 0;
      resolve({ code, output: `${stdout}${stderr}` });
    });
  });
}

/** The only child of unshare(1), once there is one. */
function firstProcess(outerPid: number): number | undefined {
  try {
    const pid = readFileSync(`/proc/${outerPid}/task/${outerPid}/children`, 'utf8').trim();
    // Before it changes its root it is no part of the container.
    return pid && statSync(`/proc/${pid}/root/.ready`, { throwIfNoEntry: false }) ? Number(pid) : undefined;
  } catch {
    return undefined;
  }
}

function withRights(plan: ContainerPlan, command: string[]): string[] {
  const { uid, gid, capabilities, noNewPrivileges, environment } = plan;
  const bounding = ['-all', ...capabilities.map((name) => `+${name}`)].join();
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return [
    ...['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'],
    ...[`--bounding-set=${bounding}`, '--inh-caps=-all', '--pdeathsig=KILL'],
    ...(noNewPrivileges ? ['--no-new-privs'] : []),
    ...['env', '-i', ...variables, ...command],
  ];
}

function startScript(plan: ContainerPlan, folder: string, hostPid: number): string {
  const root = join(folder, 'root');
  const lines = [
    'set -e',
    ...networkLines(plan, hostPid),
    shell('hostname', plan.name),
    ...rootLines(plan, folder, root),
    ...plan.mounts.flatMap((mount) => mountLines(mount, root)),
    ...plan.tmpfs.flatMap((entry) => tmpfsLines(entry, root)),
    // The first process is known to be in its root by a file that nothing else has.
    shell('touch', join(root, '.ready')),
    ...(plan.readOnly ? [shell('mount', '-o', 'remount,ro', root)] : []),
    `exec ${shell(
      ...['unshare', '--pid', '--fork', '--kill-child=KILL', '--mount-proc=/proc'],
      ...[`--root=${root}`, `--wd=${plan.workingFolder}`],
      ...withRights(plan, plan.command),
    )}`,
  ];
  return `${lines.join('\n')}\n`;
}

function networkLines({ attachments }: ContainerPlan, hostPid: number): string[] {
  const host = `/proc/${hostPid}/ns/net`;
  const way = attachments.find(({ internal }) => !internal);
  return [
    shell('ip', 'link', 'set', 'lo', 'up'),
    ...attachments.flatMap(({ bridge, link, address, prefix }, index) => [
      shell('ip', 'link', 'add', `eth${index}`, 'type', 'veth', 'peer', 'name', link, 'netns', host),
      shell('nsenter', `--net=${host}`, 'ip', 'link', 'set', link, 'master', bridge, 'up'),
      shell('ip', 'address', 'add', `${address}/${prefix}`, 'dev', `eth${index}`),
      shell('ip', 'link', 'set', `eth${index}`, 'up'),
    ]),
    ...(way ? [shell('ip', 'route', 'add', 'default', 'via', way.gateway)] : []),
    // As Docker does since 20.10: low ports need no right.
    'echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start',
  ];
}

function rootLines(plan: ContainerPlan, folder: string, root: string): string[] {
  const [address = ''] = plan.attachments.map((attachment) => attachment.gateway);
  const files = {
    'etc/hostname': `${plan.name}\n`,
    'etc/hosts': `127.0.0.1 localhost\n${plan.attachments.map((own) => `${own.address} ${plan.name}\n`).join('')}`,
    'etc/resolv.conf': `nameserver ${address}\noptions ndots:0\n`,
  };
  const layers = join(folder, 'layers');
  const [upper, work] = [join(layers, 'upper'), join(layers, 'work')];
  const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty'].map((name) => `dev/${name}`);
  return [
    shell('mkdir', '-p', root, layers),
    shell('mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', layers),
    shell('mkdir', upper, work),
    shell(
      ...['mount', '-t', 'overlay', 'overlay', '-o'],
      `lowerdir=${plan.layers.join(':')},upperdir=${upper},workdir=${work}`,
      root,
    ),
    ...(plan.usrOfMachine ? [usrLine(plan.layers, root)] : []),
    shell('mkdir', '-p', ...['proc', 'sys', 'dev/shm', 'etc', 'tmp'].map((name) => join(root, name))),
    shell('chmod', '1777', join(root, 'tmp')),
    shell('touch', ...devices.map((name) => join(root, name))),
    ...devices.map((name) => shell('mount', '--bind', `/${name}`, join(root, name))),
    shell('mount', '-t', 'tmpfs', '-o', 'nosuid,nodev,noexec,mode=1777,size=64m', 'tmpfs', join(root, 'dev/shm')),
    shell('mount', '--rbind', '/sys', join(root, 'sys')),
    ...Object.entries(files).map(([name, text]) => `printf %s ${quote(text)} >${quote(join(root, name))}`),
  ];
}

/** Without an upper layer it is read-only. */
function usrLine(layers: string[], root: string): string {
  const own = layers.map((layer) => join(layer, 'usr')).filter((path) => statSync(path, { throwIfNoEntry: false }));
  return shell('mount', '-t', 'overlay', 'overlay', '-o', `lowerdir=${[...own, '/usr'].join(':')}`, join(root, 'usr'));
}

function mountLines({ source, target, readOnly }: Mount, root: string): string[] {
  const at = join(root, target);
  const made = statSync(source).isDirectory()
    ? [shell('mkdir', '-p', at)]
    : [shell('mkdir', '-p', join(at, '..')), shell('touch', at)];
  const sealed = readOnly ? [shell('mount', '-o', 'remount,ro,bind', at)] : [];
  return [...made, shell('mount', '--bind', source, at), ...sealed];
}

function tmpfsLines(entry: string, root: string): string[] {
  const [target = '', options] = entry.split(':');
  const at = join(root, target);
  const all = ['nosuid', 'nodev', 'noexec', 'mode=1777', ...(options ? [options] : [])].join();
  return [shell('mkdir', '-p', at), shell('mount', '-t', 'tmpfs', '-o', all, 'tmpfs', at)];
}
