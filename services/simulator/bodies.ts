/**
 * Bodies as CenturyLink Cloud sends them. Keys and their order follow the Webhooks FAQ; what the FAQ leaves out (`os`,
 * `hostName`, a server under construction or archived) follows what its API answered in 2015.
 */

export interface Account {
  alias: string;
  parentAlias: string;
  businessName: string;
  addressLine1: string;
  addressLine2: string;
  city: string;
  stateProvince: string;
  postalCode: string;
  telephone: string;
  status: string;
  primaryDataCenter: string;
}

export interface User {
  account: Account;
  userName: string;
  emailAddress: string;
  firstName: string;
  lastName: string;
  status: string;
}

export interface Address {
  internal: string;
  public?: string;
}

export interface Server {
  account: Account;
  /** Upper case; the id is the same in lower case. */
  name: string;
  /** The account's alias as this server's links spell it: the provider is not consistent about its case. */
  aliasInLinks: string;
  uuid: string;
  description: string;
  groupId: string;
  locationId: string;
  osType: string;
  os: string;
  status: 'underConstruction' | 'active' | 'archived';
  powerState: 'started' | 'stopped' | 'paused';
  storageType: 'standard' | 'premium';
  cpu: number;
  memoryMB: number;
  disksGB: number[];
  addresses: Address[];
  alertPolicies: { id: string; name: string }[];
  customFields: { id: string | number; name: string; value: string }[];
  changedBy: string;
  createdMs: number;
  modifiedMs: number;
}

/** Account.Created, Account.Updated, Account.Deleted. No time stands in it. */
export function encodeAccount(account: Account): Buffer {
  const { alias, parentAlias } = account;
  return encode({
    addressLine1: account.addressLine1,
    addressLine2: account.addressLine2,
    city: account.city,
    stateProvince: account.stateProvince,
    country: 'USA',
    postalCode: account.postalCode,
    telephone: account.telephone,
    status: account.status,
    isManaged: false,
    links: [
      { rel: 'self', href: `/v2/accounts/${alias}` },
      { rel: 'parentAccount', href: `/v2/accounts/${parentAlias}` },
    ],
    accountAlias: alias,
    businessName: account.businessName,
    parentAlias,
    primaryDataCenter: account.primaryDataCenter,
  });
}

/** User.Created, User.Updated, User.Deleted. A new password changes nothing in it. */
export function encodeUser(user: User): Buffer {
  return encode({
    uri: `/v2/users/${user.userName}`,
    accountUri: `/v2/accounts/${user.account.alias}`,
    accountAlias: user.account.alias,
    userName: user.userName,
    emailAddress: user.emailAddress,
    firstName: user.firstName,
    lastName: user.lastName,
    status: user.status,
  });
}

/** Server.Created, Server.Updated. The account stands only in the links. */
export function encodeServer(server: Server): Buffer {
  return encode({
    id: server.name.toLowerCase(),
    name: server.name,
    description: server.description,
    groupId: server.groupId,
    isTemplate: false,
    locationId: server.locationId,
    osType: server.osType,
    os: server.os,
    status: server.status,
    // JSON leaves out what is undefined: a server under construction has no details.
    details: server.status === 'underConstruction' ? undefined : detailsOf(server),
    type: 'standard',
    storageType: server.storageType,
    changeInfo: {
      createdBy: server.changedBy,
      createdDate: formatTime(server.createdMs),
      modifiedBy: server.changedBy,
      modifiedDate: formatTime(server.modifiedMs),
    },
    links: linksOf(server),
  });
}

/** Server.Deleted: nothing else is left of it. */
export function encodeDeletedServer(server: Server): Buffer {
  return encode({ accountAlias: server.account.alias, name: server.name });
}

/** Alert.Notification. An alert that is still on (`closedMs` undefined) has no end. */
export function encodeAlert(
  server: Server,
  cpuPercent: number,
  openedMs: number,
  closedMs: number | undefined,
): Buffer {
  return encode({
    accountAlias: server.account.alias,
    serverName: server.name,
    triggers: [
      {
        data: { cpu: server.cpu, cpuPercent },
        duration: '00:05:00',
        metric: 'cpu',
        stateEndTime: closedMs === undefined ? undefined : formatTime(closedMs),
        stateStartTime: formatTime(openedMs),
        state: closedMs === undefined ? 'triggered' : 'notTriggered',
      },
    ],
  });
}

function detailsOf(server: Server) {
  const base = `/v2/servers/${server.aliasInLinks}/${server.name.toLowerCase()}`;
  const archived = server.status === 'archived';
  return {
    ipAddresses: server.addresses.map(({ public: open, internal }) =>
      open ? { public: open, internal } : { internal },
    ),
    alertPolicies: server.alertPolicies.map(({ id, name }) => ({
      id,
      name,
      links: [
        { rel: 'self', href: `/v2/alertPolicies/${server.aliasInLinks}/${id}` },
        { rel: 'alertPolicyMap', href: `${base}/alertPolicies/${id}`, verbs: ['DELETE'] },
      ],
    })),
    cpu: archived ? 0 : server.cpu,
    diskCount: server.disksGB.length,
    hostName: server.name.toLowerCase(),
    inMaintenanceMode: false,
    memoryMB: archived ? 0 : server.memoryMB,
    powerState: server.powerState,
    storageGB: server.disksGB.reduce((sum, sizeGB) => sum + sizeGB, 0),
    disks: server.disksGB.map((sizeGB, index) => ({ id: `0:${index}`, sizeGB, partitionPaths: [] })),
    partitions: [],
    snapshots: [],
    customFields: server.customFields.map((field) => ({ ...field, displayValue: field.value })),
  };
}

function linksOf(server: Server) {
  const { aliasInLinks: alias, groupId } = server;
  const id = server.name.toLowerCase();
  const base = `/v2/servers/${alias}/${id}`;
  const activities = `/v2/servers/${alias}/${server.uuid}`;
  const always = [
    { rel: 'self', href: base, id, verbs: server.status === 'active' ? ['GET', 'PATCH', 'DELETE'] : ['GET', 'PATCH'] },
    { rel: 'group', href: `/v2/groups/${alias}/${groupId}`, id: groupId },
    { rel: 'account', href: `/v2/accounts/${alias}`, id: alias },
    { rel: 'billing', href: `/v2/billing/${alias}/serverPricing/${id}` },
  ];
  const open = server.addresses.flatMap((address) => address.public ?? []);
  const addressLinks = open.map((address) => ({
    rel: 'publicIPAddress',
    href: `${base}/publicIPAddresses/${address}`,
    id: address,
    verbs: ['GET', 'PUT', 'DELETE'],
  }));
  if (server.status === 'underConstruction') return always;
  if (server.status === 'archived') {
    return [...always, { rel: 'restore', href: `${base}/restore` }, { rel: 'delete', href: base }, ...addressLinks];
  }
  return [
    ...always,
    { rel: 'statistics', href: `${base}/statistics` },
    { rel: 'upcomingScheduledActivities', href: `${activities}/upcomingScheduledActivities` },
    { rel: 'scheduledActivities', href: `${activities}/scheduledActivities`, verbs: ['GET', 'POST'] },
    { rel: 'publicIPAddresses', href: `${base}/publicIPAddresses`, verbs: ['POST'] },
    { rel: 'alertPolicyMappings', href: `${base}/alertPolicies`, verbs: ['POST'] },
    { rel: 'antiAffinityPolicyMapping', href: `${base}/antiAffinityPolicy`, verbs: ['PUT', 'DELETE'] },
    { rel: 'cpuAutoscalePolicyMapping', href: `${base}/cpuAutoscalePolicy`, verbs: ['PUT', 'DELETE'] },
    { rel: 'capabilities', href: `${base}/capabilities` },
    { rel: 'credentials', href: `${base}/credentials` },
    ...addressLinks,
  ];
}

/** Whole seconds in UTC, for example 2014-06-18T18:28:54Z. */
function formatTime(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}

function encode(body: unknown): Buffer {
  return Buffer.from(JSON.stringify(body));
}
