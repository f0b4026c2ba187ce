import { defineConfig } from 'vitest/config';
import { projects } from './scripts/projects.ts';

const suffixes = projects.filter(({ name }) => name !== 'node').map(({ suffix }) => suffix);

export default defineConfig({
  test: {
    // Native libraries and child processes: a process per file, none shared.
    pool: 'forks',
    allowOnly: false,
    projects: projects.map(({ name, suffix, workersMax, timeoutMs }, index) => ({
      extends: true,
      test: {
        name,
        include: [`test/**/*${suffix}`],
        exclude: name === 'node' ? suffixes.map((other) => `test/**/*${other}`) : [],
        maxWorkers: workersMax,
        testTimeout: timeoutMs,
        hookTimeout: timeoutMs,
        setupFiles: ['test/patience.ts'],
        expect: { poll: { timeout: 15_000 } },
        // Projects run one after the other.
        sequence: { groupOrder: index },
      },
    })),
  },
});
