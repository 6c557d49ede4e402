import type { Queryable } from '../../../src/storage/database.js';
import { leftovers } from './leftovers.js';
import type { Arrival, Arrivals, Fate, Letter } from './letters.js';

/** A run, once nothing is under way any more. */
export interface Run {
  readonly db: Queryable;
  /** Those that were accepted, in the order in which each author wrote them. */
  readonly letters: readonly Letter[];
  readonly fateOf: (letter: Letter) => Fate;
  readonly places: readonly Arrivals[];
  /** How many mails may have come twice: those between the peer's 250 and our commit when something was killed or cut. */
  readonly mailsInFlight: number;
}

interface Place {
  readonly where: string;
  readonly neverRepeats: boolean;
  readonly arrivals: readonly Arrival[];
}

/**
 * What is wrong, a sentence each; nothing is well. Delivered is what was accepted, once and in order; repeats are the
 * same to the byte; every failure was told once; no row is left behind.
 */
export async function violations({ db, letters, fateOf, places: sides, mailsInFlight }: Run): Promise<string[]> {
  const read = sides.map(async (side): Promise<Place> => ({ ...about(side), arrivals: await side.all() }));
  const places = await Promise.all(read);
  const first = places.flatMap(({ arrivals }) => withoutRepeats(arrivals));
  const deposited = places.filter(({ neverRepeats }) => neverRepeats).flatMap(({ arrivals }) => arrivals).length;
  return [
    ...deliveredOnce(letters, first, fateOf),
    ...inOrder(letters, first),
    ...toldOnce(letters, first, fateOf),
    ...repeats(places, mailsInFlight),
    ...(await leftovers(db, { queued: letters.length, deposited })),
  ];
}

const about = ({ where, neverRepeats }: Arrivals) => ({ where, neverRepeats });

function withoutRepeats(arrivals: readonly Arrival[]): Arrival[] {
  return [...new Map(arrivals.toReversed().map((arrival) => [arrival.key, arrival])).values()].reverse();
}

function deliveredOnce(letters: readonly Letter[], arrivals: readonly Arrival[], fateOf: Run['fateOf']): string[] {
  const counts = new Map(letters.map(({ text }) => [text, 0]));
  const found: string[] = [];
  for (const { text, noticeAbout } of arrivals) {
    if (noticeAbout !== null) continue;
    if (!counts.has(text)) found.push(`"${text}" arrived, and nobody was told that it was accepted`);
    else counts.set(text, counts.get(text)! + 1);
  }
  for (const letter of letters) {
    const [{ text }, expected] = [letter, fateOf(letter).arrivals];
    const count = counts.get(text)!;
    if (count !== expected) found.push(`"${text}" arrived ${count} times instead of ${expected}`);
  }
  return found;
}

function inOrder(letters: readonly Letter[], arrivals: readonly Arrival[]): string[] {
  const arrived = arrivals.filter(({ noticeAbout }) => noticeAbout === null).map(({ text }) => text);
  return [...new Set(letters.map(({ pair }) => pair))].flatMap((pair) => {
    const isOfPair = (text: string) => text.startsWith(`${pair}#`);
    const numbers = arrived.filter(isOfPair).map((text) => Number(text.slice(pair.length + 1)));
    const isSorted = numbers.every((number, index) => index === 0 || number >= numbers[index - 1]!);
    return isSorted ? [] : [`the letters of ${pair} arrived in the order ${numbers.join(', ')}`];
  });
}

function toldOnce(letters: readonly Letter[], arrivals: readonly Arrival[], fateOf: Run['fateOf']): string[] {
  const notices = arrivals.flatMap(({ noticeAbout }) => (noticeAbout === null ? [] : [noticeAbout]));
  const ids = new Set(letters.map(({ id }) => id));
  const strange = notices.filter((id) => !ids.has(id)).map((id) => `a notice is about ${id}, which is no letter`);
  const wrong = letters.flatMap((letter) => {
    const [{ text, id }, expected] = [letter, fateOf(letter).notices];
    const count = notices.filter((about) => about === id).length;
    return count === expected ? [] : [`"${text}" has ${count} notices instead of ${expected}`];
  });
  return [...strange, ...wrong];
}

function repeats(places: readonly Place[], mailsInFlight: number): string[] {
  return places.flatMap(({ where, neverRepeats, arrivals }) => {
    const bodies = new Map<string, string>();
    const [found, repeated]: [string[], string[]] = [[], []];
    for (const { key, body, text } of arrivals) {
      if (!bodies.has(key)) bodies.set(key, body);
      else repeated.push(text);
      if (bodies.get(key) !== body) found.push(`"${text}" came again in other bytes over ${where}`);
    }
    const allowed = allowedRepeats(where, neverRepeats, mailsInFlight);
    if (repeated.length <= allowed) return found;
    return [
      ...found,
      `${repeated.length} repeats over ${where}, of which ${allowed} are allowed: ${repeated.join(', ')}`,
    ];
  });
}

/** Receivers of dm3 messages and of the fake network know a repeat by its id; over SMTP nobody does. */
function allowedRepeats(where: string, neverRepeats: boolean, mailsInFlight: number): number {
  if (neverRepeats) return 0;
  return where === 'mail' ? mailsInFlight : Number.POSITIVE_INFINITY;
}
