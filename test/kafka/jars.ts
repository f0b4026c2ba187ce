/**
 * The jars of Apache Kafka: the broker and its command line tools, without what only Connect, Streams, OAuth and the
 * codecs that nobody here uses would need. jars.json has the SHA-256 of each by `group:artifact:version`.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import digests from './jars.json' with { type: 'json' };

interface Jar {
  group: string;
  artifact: string;
  version: string;
  sha256: string;
  file: string;
}

const fetchMsMax = 300_000;
const jars: readonly Jar[] = Object.entries(digests).map(([coordinates, sha256]) => {
  const [group = '', artifact = '', version = ''] = coordinates.split(':');
  return { group, artifact, version, sha256, file: `${artifact}-${version}.jar` };
});

/** Where jars are kept from one run to the next; HOOKWATCH_KAFKA_CACHE names another folder, which may be read-only. */
export const jarsFolder =
  process.env.HOOKWATCH_KAFKA_CACHE || fileURLToPath(new URL('../../.cache/kafka', import.meta.url));

export function missingJars(): Jar[] {
  return jars.filter(({ file }) => !existsSync(join(jarsFolder, file)));
}

/**
 * Fetches what is missing, from the Maven repository whose URL HOOKWATCH_MAVEN_URL is, or else by Maven and its settings.
 * @returns the class path
 * @throws where a jar cannot be had or is not the one that is wanted
 */
export async function fetchJars(): Promise<string> {
  const missing = missingJars();
  if (missing.length > 0) {
    mkdirSync(jarsFolder, { recursive: true });
    // Beside the cache: a jar appears in it at once and whole.
    const folder = mkdtempSync(join(jarsFolder, 'fetch-'));
    try {
      const url = process.env.HOOKWATCH_MAVEN_URL;
      if (url) for (const jar of missing) await download(url, jar, folder);
      else copyByMaven(missing, folder);
      for (const jar of missing) {
        verify(jar, folder);
        renameSync(join(folder, jar.file), join(jarsFolder, jar.file));
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
  for (const jar of jars) verify(jar, jarsFolder);
  return jars.map(({ file }) => join(jarsFolder, file)).join(delimiter);
}

function verify({ file, sha256 }: Jar, folder: string): void {
  const path = join(folder, file);
  const digest = createHash('sha256').update(readFileSync(path)).digest('hex');
  if (digest !== sha256) throw new Error(`Cannot use ${path}: its SHA-256 is ${digest}, jars.json wants ${sha256}`);
}

async function download(repository: string, { group, artifact, version, file }: Jar, folder: string): Promise<void> {
  const path = [...group.split('.'), artifact, version, file].join('/');
  const url = `${repository.replace(/\/+$/, '')}/${path}`;
  const answer = await fetch(url, { signal: AbortSignal.timeout(fetchMsMax) });
  if (!answer.ok) throw new Error(`Cannot fetch ${url}: ${answer.status}`);
  writeFileSync(join(folder, file), await answer.bytes());
}

function copyByMaven(missing: readonly Jar[], folder: string): void {
  const project = mkdtempSync(join(tmpdir(), 'hookwatch-maven-'));
  try {
    writeFileSync(join(project, 'pom.xml'), pomOf(missing));
    const args = ['-q', '-B', 'dependency:copy-dependencies', `-DoutputDirectory=${folder}`];
    const { status, error, stdout } = spawnSync('mvn', args, { cwd: project, encoding: 'utf8', timeout: fetchMsMax });
    if (status !== 0) throw new Error(`Cannot fetch the jars of Kafka by Maven: ${error?.message ?? stdout}`);
  } finally {
    rmSync(project, { recursive: true });
  }
}

function pomOf(wanted: readonly Jar[]): string {
  const exclusions = '<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>';
  const dependencies = wanted.map(
    ({ group, artifact, version }) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>` +
      `${exclusions}</dependency>`,
  );
  return `<project><modelVersion>4.0.0</modelVersion><groupId>hookwatch</groupId><artifactId>kafka</artifactId>
<version>1</version><dependencies>${dependencies.join('\n')}</dependencies></project>\n`;
}
