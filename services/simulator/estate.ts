import type { Account, Address, Server, User } from './bodies.ts';
import type { Random } from './random.ts';

/** Makes accounts, users and servers with names that no other run has, and changes them as their owners would. */
export interface Estate {
  root: string;
  createAccount(parentAlias?: string): Account;
  createUser(account: Account): User;
  /** A server under construction, as it is announced. */
  createServer(account: Account, createdMs: number): Server;
  /** Construction is over: the server runs. */
  startServer(server: Server, nowMs: number): void;
  changeAccount(account: Account): void;
  changeUser(user: User): void;
  changeServer(server: Server, nowMs: number): void;
}

const locations = ['WA1', 'VA1', 'IL1', 'UC1', 'CA3', 'DE1', 'GB3', 'NE1'];
const purposes = ['WEB', 'DB', 'APP', 'CACHE', 'MAIL', 'BUILD'];
const systems = [
  { osType: 'CentOS 6 64-bit', os: 'centOS6_64Bit' },
  { osType: 'Ubuntu 14 64-bit', os: 'ubuntu14_64Bit' },
  { osType: 'Windows 2008 64-bit', os: 'windows2008R2Standard_64bit' },
];
const firstNames = ['Ada', 'Bela', 'Chen', 'Dora', 'Emil', 'Farah', 'Goran', 'Hana', 'Ines', 'Jonas', 'Kofi', 'Lena'];
const lastNames = ['Abel', 'Brandt', 'Costa', 'Diallo', 'Ekman', 'Fabre', 'Garcia', 'Horvat', 'Ito', 'Jansen', 'Kaya'];
const trades = ['Bakery', 'Bicycles', 'Books', 'Clinics', 'Coffee', 'Games', 'Gardens', 'Logistics', 'Media', 'Tours'];
const streets = ['Harbour Street', 'Mill Lane', 'Station Road', 'Church Hill', 'Park Avenue', 'Orchard Way'];
const towns = [
  { city: 'Bellevue', stateProvince: 'WA', postalCode: '98004' },
  { city: 'Ashburn', stateProvince: 'VA', postalCode: '20147' },
  { city: 'Chicago', stateProvince: 'IL', postalCode: '60601' },
];
const policies = [
  { id: 'cdab476a61884af9ab4840827f9e4b6f', name: 'Production - CPU' },
  { id: '45866e6219e84ab786d07d4f570ba960', name: 'Production - RAM' },
];
/** The networks reserved for documentation: nobody owns these addresses. */
const publicNetworks = ['192.0.2', '198.51.100', '203.0.113'];

export function createEstate({ random, tag, root }: { random: Random; tag: string; root: string }): Estate {
  let accountCount = 0;
  let userCount = 0;
  const serverCounts = new Map<Account, number>();

  return {
    root,
    createAccount(parentAlias = root) {
      const alias = `${tag}${(accountCount++).toString(36).toUpperCase().padStart(2, '0')}`;
      return {
        alias,
        parentAlias,
        businessName: `${random.pick(lastNames)} ${random.pick(trades)} ${alias}`,
        addressLine1: address(random),
        addressLine2: `Ste ${random.between(1, 40) * 10}`,
        ...random.pick(towns),
        telephone: telephone(random),
        status: 'Active',
        primaryDataCenter: random.pick(locations),
      };
    },
    createUser(account) {
      const [firstName, lastName] = [random.pick(firstNames), random.pick(lastNames)];
      const userName = `${firstName}.${lastName}${userCount++}@${account.alias}.example`.toLowerCase();
      return { account, userName, emailAddress: userName, firstName, lastName, status: 'Active' };
    },
    createServer(account, createdMs) {
      const number = (serverCounts.get(account) ?? 0) + 1;
      serverCounts.set(account, number);
      return newServer(random, account, number, createdMs);
    },
    startServer(server, nowMs) {
      server.status = 'active';
      server.modifiedMs = nowMs;
    },
    changeAccount(account) {
      Object.assign(account, random.pick(accountChanges)(account, random));
    },
    changeUser(user) {
      Object.assign(user, random.pick(userChanges)(user, random));
    },
    changeServer(server, nowMs) {
      const possible = serverChanges.filter(({ applies }) => applies(server));
      Object.assign(server, random.pick(possible).change(server, random), { modifiedMs: nowMs });
    },
  };
}

function newServer(random: Random, account: Account, number: number, createdMs: number): Server {
  const locationId = random.chance(0.7) ? account.primaryDataCenter : random.pick(locations);
  const name = `${locationId}${account.alias}${random.pick(purposes)}${String(number).padStart(2, '0')}`;
  return {
    account,
    name,
    aliasInLinks: random.chance(0.5) ? account.alias.toLowerCase() : account.alias,
    uuid: random.hex(32),
    description: `Server ${number} of ${account.businessName}`,
    groupId: random.hex(32),
    locationId,
    ...random.pick(systems),
    status: 'underConstruction',
    powerState: 'started',
    storageType: random.pick(['standard', 'premium']),
    cpu: random.pick([1, 1, 2, 4]),
    memoryMB: 1024 * random.pick([1, 2, 4]),
    disksGB: [1, 2, random.pick([14, 40, 80])],
    addresses: [{ internal: internalAddress(random) }],
    alertPolicies: random.chance(0.6) ? [policies[0]!] : [],
    // An id is a number in the documentation and a string in what the API answers.
    customFields: [{ id: random.chance(0.5) ? 22 : random.hex(32), name: 'Cost Center', value: `IT-${number}` }],
    changedBy: `operator@${account.alias.toLowerCase()}.example`,
    createdMs,
    modifiedMs: createdMs,
  };
}

/** What a change sets. */
type Change<T> = (subject: T, random: Random) => Partial<T>;

const accountChanges: Change<Account>[] = [
  (_, random) => ({ ...random.pick(towns), addressLine1: address(random) }),
  (_, random) => ({ telephone: telephone(random) }),
  ({ status }) => ({ status: status === 'Active' ? 'Disabled' : 'Active' }),
];

const userChanges: Change<User>[] = [
  ({ userName }, random) => ({ emailAddress: `${random.hex(6)}.${userName}` }),
  (_, random) => ({ lastName: random.pick(lastNames) }),
  ({ status }) => ({ status: status === 'Active' ? 'Inactive' : 'Active' }),
];

type Condition = (server: Server) => boolean;

const isActive: Condition = ({ status }) => status === 'active';
const isRunning: Condition = (server) => isActive(server) && server.powerState === 'started';
const isIdle: Condition = (server) => isActive(server) && server.powerState !== 'started';
const publicCount = ({ addresses }: Server) => addresses.filter((address) => address.public).length;

/** Whatever a server's state, one of them applies; only one under construction cannot be changed. */
const serverChanges: { applies: Condition; change: Change<Server> }[] = [
  { applies: isRunning, change: (_, random) => ({ cpu: random.pick([1, 2, 4, 8, 16]) }) },
  { applies: isRunning, change: (_, random) => ({ memoryMB: 1024 * random.pick([1, 2, 4, 8, 16, 32]) }) },
  {
    applies: (server) => isActive(server) && server.disksGB.length < 8,
    change: ({ disksGB }, random) => ({ disksGB: [...disksGB, random.pick([10, 20, 50, 100])] }),
  },
  {
    applies: (server) => isActive(server) && server.disksGB.length > 4,
    change: ({ disksGB }) => ({ disksGB: disksGB.slice(0, -1) }),
  },
  {
    applies: (server) => isActive(server) && publicCount(server) < 2,
    change: ({ addresses }, random) => ({ addresses: [...addresses, publicAddress(random)] }),
  },
  {
    applies: (server) => isActive(server) && publicCount(server) > 0,
    change: ({ addresses }) => ({ addresses: addresses.slice(0, -1) }),
  },
  { applies: isActive, change: (_, random) => ({ description: `Server for ${random.pick(trades)}` }) },
  { applies: isActive, change: (_, random) => ({ groupId: random.hex(32) }) },
  { applies: isActive, change: (_, random) => ({ alertPolicies: policies.slice(0, random.between(1, 2)) }) },
  { applies: isRunning, change: () => ({ powerState: 'paused' }) },
  { applies: isRunning, change: () => ({ powerState: 'stopped' }) },
  // Twice, so that most servers run most of the time.
  { applies: isIdle, change: () => ({ powerState: 'started' }) },
  { applies: isIdle, change: () => ({ powerState: 'started' }) },
  {
    applies: (server) => isActive(server) && server.powerState === 'stopped',
    change: () => ({ status: 'archived' }),
  },
  { applies: ({ status }) => status === 'archived', change: () => ({ status: 'active' }) },
];

function address(random: Random): string {
  return `${random.between(1, 400)} ${random.pick(streets)}`;
}

/** From the range that is kept free for fiction. */
function telephone(random: Random): string {
  return `800-555-01${random.between(10, 99)}`;
}

function publicAddress(random: Random): Address {
  return { internal: internalAddress(random), public: `${random.pick(publicNetworks)}.${random.between(1, 254)}` };
}

function internalAddress(random: Random): string {
  return `10.${random.between(64, 127)}.${random.between(0, 255)}.${random.between(10, 250)}`;
}
