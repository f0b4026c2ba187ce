import { decodeCenturylink } from './centurylink/decode.ts';
import type { Decode } from './provider.ts';

/** Every provider that the flow can decode, by the name that endpoints give. */
export const decoders: ReadonlyMap<string, Decode> = new Map([['centurylink', decodeCenturylink]]);
