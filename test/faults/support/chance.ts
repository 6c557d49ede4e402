/** A number in [0, 1), and whatever is made of it; the same row of them for the same seed. */
export interface Chance {
  readonly seed: number;
  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number;
  of<T>(choices: readonly T[]): T;
}

/** @param salt so that suites of one run do not all draw the same */
export function chance(salt: string): Chance {
  const seed = runSeed();
  let state = [...salt].reduce((hash, letter) => (Math.imul(hash, 31) + letter.codePointAt(0)!) | 0, seed);
  const next = () => {
    // mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  return { seed, between, of: (choices) => choices[between(0, choices.length - 1)]! };
}

/** Set by `npm run test:faults`, so that all suites of a run have the same, and a run can be repeated. */
function runSeed(): number {
  return Number(process.env['FAULT_SEED'] ?? 1);
}
