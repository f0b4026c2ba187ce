/** What every container must be, whoever made its image. */
import { programsByImage } from './programs.ts';
import { type Check, isOneShot, isOurs, type Service, type Stack } from './stack.ts';

/** One line for each service for which there is something to say. */
const each = (fault: (service: Service, name: string, stack: Stack) => string | undefined | false) =>
  ((stack) =>
    Object.entries(stack.services).flatMap(([name, service]) => {
      const found = fault(service, name, stack);
      return found ? [`${name}: ${found}`] : [];
    })) satisfies Check;

/** Numbers, for a name may be another user in the next version of an image. */
const notRoot = each(({ user }) => !/^[1-9]\d*:\d+$/.test(user ?? '') && `runs as ${user ?? 'whoever the image says'}`);

const readOnly = each(({ read_only }) => read_only !== true && 'writes to its root file system');

const noCapabilities = each(
  ({ cap_drop, cap_add = [] }, name) =>
    (cap_drop?.join() !== 'ALL' && 'keeps capabilities') ||
    // Caddy's file has it, and could not be started without it.
    (cap_add.join() !== (name === 'caddy' ? 'NET_BIND_SERVICE' : '') && `adds ${cap_add.join() || 'nothing'}`),
);

const noNewPrivileges = each(
  ({ security_opt = [] }) => !security_opt.includes('no-new-privileges:true') && 'may gain privileges',
);

const limited = each(({ deploy }) => {
  const { memory, cpus, pids } = deploy?.resources?.limits ?? {};
  if (!/^\d+[mg]$/.test(`${memory}`)) return 'has no limit of memory';
  // Docker refuses more than the machine has; two are what a small one has.
  if (!(Number(cpus) > 0 && Number(cpus) <= 2)) return 'has no limit of CPUs that a small machine can give';
  return !(Number(pids) > 0) && 'has no limit of processes';
});

const restarted = each(({ restart, profiles }, name, { services }) => {
  if (restart === 'unless-stopped') return undefined;
  if (restart !== 'no') return 'stays down when it has failed';
  const awaited = Object.values(services).some(({ depends_on }) => depends_on[name]);
  return !awaited && !profiles && 'is never started again, and nobody waits for it';
});

const logsBounded = each(
  ({ logging }) => !(logging?.options?.['max-size'] && logging.options['max-file']) && 'logs without an end',
);

const exactImages = each(({ image, build }) => {
  if (build) return !image.endsWith(':local') && `is built here and called ${image}`;
  return !/:v?\d+\.\d+(\.\d+)?$/.test(image) && `${image} is another image tomorrow`;
});

const checked = each((service) => {
  const { healthcheck, image } = service;
  if (isOneShot(service)) return healthcheck?.disable !== true && 'ends, so its health is nothing to ask for';
  const [kind, ...words] = healthcheck?.test ?? [];
  if (kind !== 'CMD' && kind !== 'CMD-SHELL') return 'has no health check';
  const program = kind === 'CMD' ? words[0] : words[0]?.split(' ').find((word) => !word.includes('='));
  const known = isOurs(service) ? ['node'] : (programsByImage[image.split(':')[0]!] ?? []);
  return !known.includes(program ?? '') && `its health check runs ${program}, which ${image} does not have`;
});

const awaits = each(({ depends_on }, _name, { services }) => {
  for (const [other, { condition }] of Object.entries(depends_on)) {
    const awaited = services[other];
    if (!awaited) return `waits for ${other}, which does not exist`;
    if (isOneShot(awaited) !== (condition === 'service_completed_successfully'))
      return `${other} never is ${condition}`;
    if (condition === 'service_healthy' && !awaited.healthcheck?.test) return `${other} has no health check`;
    if (awaited.profiles) return `${other} is started by a profile only`;
  }
  return undefined;
});

/** A delivery is answered whatever is down behind the edge. */
const edgesAlone = each(
  ({ command, depends_on }) =>
    command?.[0] === 'edge' && Object.keys(depends_on).join() !== 'setup' && `waits for ${Object.keys(depends_on)}`,
);

export const containerChecks = {
  notRoot,
  readOnly,
  noCapabilities,
  noNewPrivileges,
  limited,
  restarted,
  logsBounded,
  exactImages,
  checked,
  awaits,
  edgesAlone,
};
