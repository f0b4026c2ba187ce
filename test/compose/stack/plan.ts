/** What a service's container is, by the compose file and its image. */
import type { Service } from './compose-file.ts';
import type { ContainerPlan } from './container.ts';
import { type Image, resolveUser } from './image.ts';
import { mountVolume } from './volumes.ts';

/** What Docker lets a container keep where no cap_drop takes it: moby, daemon/pkg/oci/caps/defaults.go. */
const capabilitiesByDefault = [
  ...['chown', 'dac_override', 'fowner', 'fsetid', 'kill', 'setgid', 'setuid', 'setpcap', 'net_bind_service'],
  ...['net_raw', 'sys_chroot', 'mknod', 'audit_write', 'setfcap'],
];

/** Every container's network has it at 0, as Docker's have. */
const portsSetting = 'net.ipv4.ip_unprivileged_port_start';

export interface PlanContext {
  service: Service;
  image: Image;
  name: string;
  /** Instead of the service's own. */
  command?: readonly string[] | undefined;
  volumesFolder: string;
}

/** Without its networks. */
export function planContainer({ service, image, name, command, volumesFolder }: PlanContext): ContainerPlan {
  const given = Object.entries(service.environment ?? {}).flatMap(([variable, value]) =>
    value === null ? [] : [[variable, value] as const],
  );
  const settings = Object.keys(service.sysctls ?? {}).filter((setting) => setting !== portsSetting);
  if (settings.length > 0) throw new Error(`This imitation knows nothing of ${settings}`);
  const asked = command ?? service.command ?? (service.entrypoint ? [] : image.command);
  const added = (service.cap_add ?? []).map((capability) => capability.toLowerCase().replace(/^cap_/, ''));
  return {
    name,
    layers: image.layers,
    usrOfMachine: image.usrOfMachine,
    mounts: [...image.mounts, ...(service.volumes ?? []).map((volume) => mountVolume(volume, image, volumesFolder))],
    tmpfs: service.tmpfs ?? [],
    readOnly: service.read_only ?? false,
    command: [...(service.entrypoint ?? image.entrypoint), ...asked],
    environment: { HOSTNAME: name, HOME: '/', ...image.environment, ...Object.fromEntries(given) },
    workingFolder: service.working_dir ?? image.workingFolder,
    ...resolveUser(image, service.user ?? image.user),
    capabilities: [...(service.cap_drop?.includes('ALL') ? [] : capabilitiesByDefault), ...added],
    noNewPrivileges: (service.security_opt ?? []).some((option) => /^no-new-privileges(:true)?$/.test(option)),
    attachments: [],
  };
}
