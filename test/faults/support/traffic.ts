import { eventually } from '../../support/eventually.js';
import type { AccountSide } from './dm3-side.js';
import type { Direction, ForeignSide, Letter } from './letters.js';

/** Who writes to whom. Nobody takes letters for `nobody` and `rex`; half of all others are taken at the second attempt. */
const PAIRS: Readonly<Record<Direction, readonly (readonly [author: string, receiver: string])[]>> = {
  'to-dm3': [
    ['carol', 'bob'],
    ['dave', 'dora'],
    ['frank', 'dora'],
    ['erin', 'rex'],
  ],
  'from-dm3': [
    ['alice', 'carol'],
    ['alice', 'dave'],
    ['bob', 'frank'],
    ['bob', 'nobody'],
  ],
};
/** Through whose service letters reach them. The notice that nothing reaches `rex` takes the way back. */
const ELSEWHERE = new Set(['dora']);
const UNREACHABLE = new Set(['nobody', 'rex']);
const RETRY = { patienceMs: 120_000, pauseMs: 100 };

export const DIRECTIONS = Object.keys(PAIRS) as Direction[];

/** Everybody's letters over one foreign network. */
export class Traffic {
  /** In the order in which they were accepted. */
  readonly accepted: Letter[] = [];
  /** How often something that was handed in was not taken. */
  refusals = 0;
  #numbers = new Map<string, number>();
  #isOver = false;

  constructor(
    private readonly side: ForeignSide,
    private readonly accounts: Readonly<Record<string, AccountSide>>,
  ) {}

  /** Letters of each pair, ready to be handed in. */
  async write(directions: readonly Direction[], perPair: number): Promise<Letter[]> {
    const all: Promise<Letter>[] = [];
    for (const direction of directions) {
      for (const [author, receiver] of PAIRS[direction]) {
        for (let count = 0; count < perPair; count += 1) all.push(this.#letter(direction, author, receiver));
      }
    }
    return Promise.all(all);
  }

  /** So many letters from our accounts to so many people there: few of them wait for one another. */
  async writeToMany(count: number, receivers: number): Promise<Letter[]> {
    const authors = Object.keys(this.accounts);
    const letters: Letter[] = [];
    const author = async (name: string, share: number) => {
      for (let index = 0; index < share; index += 1)
        letters.push(await this.#letter('from-dm3', name, `person${index % receivers}`));
    };
    await Promise.all(authors.map((name) => author(name, count / authors.length)));
    return letters;
  }

  /**
   * Those of a pair one after the other, again and again until each is accepted, whatever happens to the service.
   * @param atOnce pairs
   */
  async handIn(letters: readonly Letter[], atOnce = Infinity): Promise<void> {
    const pairs = [...Map.groupBy(letters, ({ pair }) => pair).values()];
    const hand = async () => {
      for (let ofPair = pairs.shift(); ofPair; ofPair = pairs.shift()) {
        for (const letter of ofPair) await this.#insist(letter);
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, pairs.length) }, hand));
  }

  /** Nobody insists any longer. */
  end(): void {
    this.#isOver = true;
  }

  async #insist(letter: Letter): Promise<void> {
    let last: unknown;
    const attempt = async () => {
      if (this.#isOver) throw new Error('The run is over.', { cause: last });
      return letter.handIn().then(
        () => true,
        (error: unknown) => {
          last = error;
          this.refusals += 1;
          return false;
        },
      );
    };
    await eventually(`"${letter.text}" to be accepted`, attempt, RETRY).catch((error: Error) => {
      throw new Error(`${error.message} ${String(last)}`, { cause: last });
    });
    this.accepted.push(letter);
  }

  async #letter(direction: Direction, author: string, receiver: string): Promise<Letter> {
    const pair = `${this.side.network} ${author}>${receiver}`;
    const number = (this.#numbers.get(pair) ?? 0) + 1;
    this.#numbers.set(pair, number);
    const text = `${pair}#${number}`;
    const written =
      direction === 'to-dm3'
        ? this.side.write(author, receiver, text)
        : await this.accounts[author]!.write(this.side.aliasOf(receiver), text);
    const arrives = !UNREACHABLE.has(receiver);
    return { ...written, text, pair, direction, arrives, needs: this.#needsOf(direction, receiver) };
  }

  #needsOf(direction: Direction, receiver: string): string[] {
    if (direction === 'from-dm3' || UNREACHABLE.has(receiver)) return [this.side.peer];
    return ELSEWHERE.has(receiver) ? ['service'] : [];
  }
}
