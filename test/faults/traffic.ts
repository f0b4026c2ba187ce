/** Deliveries of a small estate, no two with the same body, so that each can be told by its content. */
import { createRandom } from '../../services/simulator/random.ts';

export interface Parcel {
  event: string;
  body: string;
  /** Signed with a key that nobody trusts. */
  forged: boolean;
}

/** Makes the n-th delivery, as of now. */
export type Traffic = (n: number, nowMs: number) => Parcel;

/** Kinds of output that it leads to none of: one provider's, to one account's endpoints, compared with nothing. */
export const untold: ReadonlySet<string> = new Set(['backup', 'change', 'loss', 'reconciliation']);

export function createTraffic(seed: number): Traffic {
  const random = createRandom(seed);
  const accounts = ['NWND'];
  const parcel = (event: string, body: object, forged = false): Parcel => ({
    event,
    body: JSON.stringify(body),
    forged,
  });
  const server = (name: string, account: string, description: string, nowMs: number) => ({
    name,
    description,
    locationId: 'WA1',
    changeInfo: { createdDate: new Date(nowMs).toISOString(), modifiedDate: new Date(nowMs).toISOString() },
    links: [{ rel: 'account', href: `/v2/accounts/${account}` }],
  });

  return (n, nowMs) => {
    const text = `parcel ${n}`;
    const dice = random.fraction();
    if (dice < 0.04) {
      const accountAlias = `C${n}`;
      accounts.push(accountAlias);
      return parcel('Account.Created', { accountAlias, parentAlias: 'NWND', businessName: text });
    }
    // The newest accounts grow: some of them fast enough to be detected.
    const account = random.pick(accounts.slice(-2));
    if (dice < 0.2) return parcel('Server.Created', server(`WA1${account}S${n}`, account, text, nowMs));
    if (dice < 0.3) {
      const state = random.pick(['triggered', 'notTriggered']);
      const trigger = { metric: 'cpu', state, stateStartTime: new Date(nowMs).toISOString(), duration: '00:05:00' };
      const serverName = `WA1NWNDWEB${random.between(10, 29)}`;
      return parcel('Alert.Notification', { accountAlias: 'NWND', serverName, text, triggers: [trigger] });
    }
    if (dice < 0.33)
      return { event: 'User.Updated', body: `{"accountAlias": "NWND", "cut off": "${text}`, forged: false };
    const update = server(`WA1NWNDWEB${random.between(10, 29)}`, 'NWND', text, nowMs);
    return parcel('Server.Updated', update, dice < 0.35);
  };
}
