/** A member of a group in a process of its own, which prints what it is assigned: `member.ts <broker> <group> <topic>`. */
import { pino } from 'pino';
import { connectKafka } from '../../services/ports/log/kafka.ts';

const [broker = '', group = '', topic = ''] = process.argv.slice(2);
const kafka = connectKafka({ brokers: [broker], clientId: 'member', tls: false }, pino({ level: 'silent' }));
kafka.join({
  group,
  topic,
  sessionTimeoutMs: 1_000,
  assigned: (partitions) => process.stdout.write(`${JSON.stringify(partitions)}\n`),
});
