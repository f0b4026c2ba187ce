/** The ten events that CenturyLink Cloud sends (shared by its portal and its API). */
export const centurylinkEvents = [
  'Account.Created',
  'Account.Deleted',
  'Account.Updated',
  'Alert.Notification',
  'Server.Created',
  'Server.Deleted',
  'Server.Updated',
  'User.Created',
  'User.Deleted',
  'User.Updated',
] as const;
