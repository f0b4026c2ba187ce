import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The folders below the engine's data folder. */
export interface EngineFolders {
  /** Databases and tables. */
  store: string;
  /** Bodies on their way into the engine; emptied at every start. */
  spool: string;
  configFile: string;
}

/**
 * Makes the folders and writes the engine's configuration.
 *
 * The embedded engine knows a single user, so rights are roles: the user itself may only read the database `database`
 * and what ClickHouse shows everyone of `system`, filtered by these rights; the role `writer` may do everything.
 * Every connection starts with the role and drops it for whoever must not have it. What this adds to `readonly=1`:
 * that setting alone lets `DESCRIBE file(…)` and `DESCRIBE url(…)` open files and connections.
 */
export function prepareFolders(dataFolder: string, database: string): EngineFolders {
  const root = resolve(dataFolder);
  const config = join(root, 'config');
  const folders = { store: join(root, 'store'), spool: join(root, 'spool'), configFile: join(config, 'config.xml') };
  rmSync(folders.spool, { recursive: true, force: true });
  for (const folder of [folders.store, folders.spool, config]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const usersFile = join(config, 'users.xml');
  writeFileSync(usersFile, usersXml(database), { mode: 0o600 });
  writeFileSync(folders.configFile, configXml(usersFile), { mode: 0o600 });
  return folders;
}

function configXml(usersFile: string): string {
  return `<clickhouse>
  <timezone>UTC</timezone>
  <users_config>${escapeXml(usersFile)}</users_config>
</clickhouse>
`;
}

function usersXml(database: string): string {
  return `<clickhouse>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <roles>
    <writer><grants><query>GRANT ALL ON *.*</query></grants></writer>
  </roles>
  <users>
    <default>
      <no_password/>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT SELECT, SHOW ON \`${escapeXml(database)}\`.*</query>
        <query>GRANT SHOW ON system.*</query>
        <query>GRANT SHOW, SELECT ON INFORMATION_SCHEMA.*</query>
        <query>GRANT SHOW, SELECT ON information_schema.*</query>
        <query>GRANT SHOW DATABASES ON default.*</query>
        <query>GRANT writer</query>
      </grants>
    </default>
  </users>
</clickhouse>
`;
}

function escapeXml(text: string): string {
  return text.replace(/[&<>]/g, (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[character]!);
}
