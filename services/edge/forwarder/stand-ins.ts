import { headersOfPlace } from '../../core/records/cloudevents.ts';
import { encode } from '../../core/records/codec.ts';
import type { Place } from '../../core/records/place.ts';
import type { NewRecord } from '../../ports/log/log.ts';
import { controlRecord, recordNumber } from '../producer.ts';

const document = JSON.stringify({ stands_for: 'a record that the edge could not read' });

/**
 * Records for the numbers from `seq` up to that of the one at `place`: without them the flow would wait for what nobody can
 * send, and drop what comes after. They are ticks of an edge that catches up, which say no more than that time has passed.
 */
export function standInsFor({ tenant, boot, seq: end, receivedAt }: Place, seq: number): NewRecord[] {
  return Array.from({ length: end - seq }, (_, index) => {
    const fields = { time: receivedAt, catching_up: true, document };
    const number = recordNumber(boot, seq + index, receivedAt);
    const frame = encode('control', controlRecord(tenant, number, receivedAt, 'tick', fields));
    return { key: tenant, frame, headers: headersOfPlace({ kind: 'control', tenant, id: number.id, receivedAt }) };
  });
}
