/** Seeded pseudo-random numbers: the same seed gives the same sequence on every machine. Not for secrets. */
export interface Random {
  /** Uniform in [0, 1). */
  fraction(): number;
  /** Uniform whole number from `low` to `high`, both included. */
  between(low: number, high: number): number;
  /** True with the given probability. */
  chance(probability: number): boolean;
  /** One of `choices`, which must not be empty. */
  pick<T>(choices: readonly T[]): T;
  /** Lower-case hex digits. */
  hex(digits: number): string;
}

/** @param seed Whole number from 0 to 2^32 - 1. */
export function createRandom(seed: number): Random {
  // A counter through a mixing function: every state is as good as any other, so no seed is a bad one.
  let counter = mix(seed);
  const fraction = () => {
    counter = (counter + 0x9e3779b9) | 0;
    return mix(counter) / 2 ** 32;
  };
  const between = (low: number, high: number) => low + Math.floor(fraction() * (high - low + 1));
  return {
    fraction,
    between,
    chance: (probability) => fraction() < probability,
    pick: (choices) => choices[between(0, choices.length - 1)]!,
    hex: (digits) => Array.from({ length: digits }, () => between(0, 15).toString(16)).join(''),
  };
}

/** Spreads the bits of a 32-bit number: one to one, unsigned result. */
function mix(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad);
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
  return (bits ^ (bits >>> 15)) >>> 0;
}
