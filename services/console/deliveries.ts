import type { Delivery } from '../core/records/generated.ts';

export interface HeldDelivery<Entry> {
  delivery: Delivery;
  /** The entry that was made of it; unset while it is not known, or gone. */
  entry?: Entry;
}

export interface DeliveryStore<Entry> {
  /** Keeps the highest version. Returns the entry whose delivery changed, if any. */
  put(delivery: Delivery): Entry | undefined;
  /** Says whose the delivery is, whether it is known already or comes later. */
  claim(id: string, entry: Entry): void;
  /** Says that an entry is gone; a claim by another entry stands. */
  release(id: string, entry: Entry): void;
  find(id: string): HeldDelivery<Entry> | undefined;
}

/**
 * Deliveries by id, oldest first, bounded by the bytes of their bodies. Those that no entry claims, because their event
 * is not known yet or was pushed out of its column, are bounded by count too.
 */
export function createDeliveryStore<Entry>(limits: {
  deliveriesUnjoined: number;
  bodyBytes: number;
}): DeliveryStore<Entry> {
  const held = new Map<string, Delivery>();
  const claims = new Map<string, Entry>();
  const unjoined = new Set<string>();
  let bytes = 0;

  function remove(id: string): void {
    bytes -= held.get(id)?.body.length ?? 0;
    held.delete(id);
    unjoined.delete(id);
  }

  function trim(): void {
    for (const id of unjoined) {
      if (unjoined.size <= limits.deliveriesUnjoined) break;
      remove(id);
    }
    for (const id of held.keys()) {
      if (bytes <= limits.bodyBytes) break;
      remove(id);
    }
  }

  return {
    put(delivery) {
      const before = held.get(delivery.id);
      if (before && before.version >= delivery.version) return undefined;
      const entry = claims.get(delivery.id);
      remove(delivery.id);
      if (delivery.withdrawn) return entry;
      held.set(delivery.id, delivery);
      bytes += delivery.body.length;
      if (!entry) unjoined.add(delivery.id);
      trim();
      return entry;
    },
    claim(id, entry) {
      claims.set(id, entry);
      unjoined.delete(id);
    },
    release(id, entry) {
      if (claims.get(id) !== entry) return;
      claims.delete(id);
      if (!held.has(id)) return;
      unjoined.add(id);
      trim();
    },
    find(id) {
      const delivery = held.get(id);
      const entry = claims.get(id);
      return delivery && { delivery, ...(entry && { entry }) };
    },
  };
}
