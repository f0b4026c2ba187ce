/** What a bench found out: the median of its samples, and how far they spread. */
export interface Figure {
  /** For example `verified and journaled, ratio to a bare node:http`. */
  name: string;
  /** Empty for a ratio. */
  unit: '' | '%' | 'ms' | 's' | 'MB' | 'bytes' | '/s';
  value: number;
  min: number;
  max: number;
  goal?: { atLeast: number } | { atMost: number };
}

export interface Bench {
  name: string;
  about: string;
  /** Takes about two minutes at the most. `say` tells how far it has come. */
  run(say: (line: string) => void): Promise<Figure[]>;
}

type Named = Pick<Figure, 'name' | 'unit'> & Partial<Figure>;

/** A figure of samples: their median, lowest and highest. */
export function figureOf(named: Named, samples: readonly number[]): Figure {
  return { value: quantileOf(samples, 0.5), min: Math.min(...samples), max: Math.max(...samples), ...named };
}

/** The quantile by linear interpolation; NaN of nothing. */
export function quantileOf(samples: readonly number[], quantile: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * quantile;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place % 1);
}

export function isMet({ goal, value }: Figure): boolean | undefined {
  if (!goal) return undefined;
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost;
}
