/**
 * Asks the embedded engine as the user `default` of a file of users, in a process of its own, for an engine takes its
 * configuration once. Usage: node ask-engine.ts FOLDER SQL...; prints a JSON array of { answer } and { error }.
 */
import { join } from 'node:path';
import { loadAddon } from '../../../services/ports/warehouse/chdb/addon.ts';

const [folder = '', ...statements] = process.argv.slice(2);
const addon = loadAddon();
const connection = addon.CreateConnection(join(folder, 'store'), [`--config-file=${join(folder, 'config.xml')}`]);
const answers = [];
for (const sql of statements) {
  try {
    const { bytes } = await addon.QueryAsyncConnection(connection, sql, 'TSV');
    answers.push({ answer: bytes.toString().trim() });
  } catch (error) {
    answers.push({ error: (error as Error).message });
  }
}
process.stdout.write(JSON.stringify(answers), () => process.exit(0));
