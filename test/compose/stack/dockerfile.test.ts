import { describe, expect, test } from 'vitest';
import { commandOf, parseDockerfile, parseDockerignore, variablesOf } from './dockerfile.ts';

describe('a Dockerfile', () => {
  test('has stages of instructions; comments and line breaks behind a backslash are none', () => {
    const stages = parseDockerfile(`# about
ARG TAG=24
FROM node:\${TAG} AS packages
COPY a \\
  # of b
  b ./
FROM packages
COPY --from=packages --chown=1000:1000 /app ./app
RUN echo "$HOME"
`);
    expect(stages).toEqual([
      { from: 'node:24', as: 'packages', instructions: [{ name: 'COPY', options: {}, rest: 'a    b ./' }] },
      {
        from: 'packages',
        as: undefined,
        instructions: [
          { name: 'COPY', options: { from: 'packages', chown: '1000:1000' }, rest: '/app ./app' },
          { name: 'RUN', options: {}, rest: 'echo "$HOME"' },
        ],
      },
    ]);
  });

  test('must not have what is not known', () => {
    expect(() => parseDockerfile('FROM a\nONBUILD RUN b')).toThrow('ONBUILD');
  });

  test('names a command as a list or for a shell, and variables with or without quotes', () => {
    expect(commandOf('["a", "b c"]')).toEqual(['a', 'b c']);
    expect(commandOf('a && b')).toEqual(['/bin/sh', '-c', 'a && b']);
    expect(variablesOf('A=1 B="2 3"')).toEqual({ A: '1', B: '2 3' });
  });
});

describe('a .dockerignore', () => {
  test.each([
    ['*\n!services', ['data/x', 'README.md'], ['services', 'services/a/b.ts']],
    ['node_modules\n*.log', ['node_modules/a', 'b.log'], ['a/node_modules', 'a/b.log', 'blog']],
    ['**/*.log\n# c\n/d/', ['b.log', 'a/b.log', 'd/e'], ['a/d', 'blog']],
    ['services\n!services/core\nservices/core/x.ts', ['services/a', 'services/core/x.ts'], ['services/core/y.ts']],
  ])('%j', (text, ignored, kept) => {
    const isIgnored = parseDockerignore(text);
    expect(ignored.filter((path) => !isIgnored(path))).toEqual([]);
    expect(kept.filter(isIgnored)).toEqual([]);
  });
});
