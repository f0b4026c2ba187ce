/** Two sides measured in turn: A B, B A, A B … so that a machine that speeds up or slows down favours neither. */
export interface Sides {
  /** Each returns what it managed per second. */
  ours(): Promise<number>;
  bare(): Promise<number>;
  rounds: number;
  /** Rounds before these, whose figures are dropped. Default 1. */
  warmUps?: number;
  say(line: string): void;
}

/** Per-second figures of each round. */
export interface Rounds {
  ours: number[];
  bare: number[];
  ratios: number[];
}

export async function alternate({ ours, bare, rounds, warmUps = 1, say }: Sides): Promise<Rounds> {
  const found: Rounds = { ours: [], bare: [], ratios: [] };
  for (let round = -warmUps; round < rounds; round++) {
    const first = round % 2 === 0 ? await ours() : await bare();
    const second = round % 2 === 0 ? await bare() : await ours();
    const [mine, theirs] = round % 2 === 0 ? [first, second] : [second, first];
    say(`${round < 0 ? 'warm-up' : `round ${round + 1} of ${rounds}`}: ${perSecond(mine)} to ${perSecond(theirs)}`);
    if (round < 0) continue;
    found.ours.push(mine);
    found.bare.push(theirs);
    found.ratios.push(mine / theirs);
  }
  return found;
}

function perSecond(value: number): string {
  return `${Math.round(value).toLocaleString('en')}/s`;
}
