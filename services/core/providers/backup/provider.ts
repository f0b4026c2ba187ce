import type { Provider } from '../provider.ts';
import { aliasPattern, decodeBackup } from './decode.ts';

/** Simple Backup: four bodies that say themselves what they are. Nothing is signed: the endpoint's token is all there is. */
const backup: Provider = {
  name: 'backup',
  events: [],
  unnamedEvents: [],
  signsForAll: false,
  trust: 'none',
  publishedKeys: [],
  evidence: [],
  secretHeaders: [],
  challenge: '',
  hint: 'Nothing but the URL with its token is asked for.',
  accountPattern: aliasPattern,
  canonicalAccount: (name) => name.toUpperCase(),
  parseKey() {
    throw new TypeError('it has no use: nothing that Simple Backup sends is signed');
  },
  verify: () => ({ verdict: 'unauthenticated' }),
  decode: decodeBackup,
};

export default backup;
