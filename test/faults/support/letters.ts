/** What somebody writes to somebody, and what the two may expect of it. */
export interface Letter {
  /** `<pair>#<number>`: unique, and all of its text. */
  readonly text: string;
  /** Network, author and receiver. Among its letters order is kept. */
  readonly pair: string;
  readonly direction: Direction;
  /** The peers, beside those that everything needs, without which its end cannot be reached. */
  readonly needs: readonly string[];
  /** Its receiver exists and takes it. */
  readonly arrives: boolean;
  /** By which a notice refers to it: a message hash in dm3, the network's own id elsewhere. */
  readonly id: string;
  /** Hands it in; resolves once it is accepted. The same again is the same letter. @throws if it was not taken now */
  handIn(): Promise<void>;
}

/** How often a letter arrives, and how often its author hears of it. */
export interface Fate {
  readonly arrivals: number;
  readonly notices: number;
}

/** Where nobody interferes. */
export const usualFate = ({ arrives }: Letter): Fate =>
  arrives ? { arrivals: 1, notices: 0 } : { arrivals: 0, notices: 1 };

export type Direction = 'to-dm3' | 'from-dm3';

/** Something that reached somebody. */
export interface Arrival {
  /** By which its receiver recognises a repeat. */
  readonly key: string;
  /** All of it, to see that a repeat is the same. */
  readonly body: string;
  readonly text: string;
  /** A notice that this letter (its `id`) was not delivered; null for a letter. */
  readonly noticeAbout: string | null;
}

/** A place where letters arrive: somebody's mailbox, another delivery service, a foreign network. */
export interface Arrivals {
  readonly where: string;
  /** Nothing may come twice here: the gateway's own mailboxes drop repeats themselves. */
  readonly neverRepeats: boolean;
  /** Everything so far, oldest first, repeats included. */
  all(): Promise<readonly Arrival[]>;
}

/** A network outside dm3, in the eyes of the people there. */
export interface ForeignSide extends Arrivals {
  readonly network: string;
  /** The peer by which the service reaches it. */
  readonly peer: string;
  /** ENS name of somebody there. */
  aliasOf(person: string): string;
  /** @returns a letter that is ready to be handed in, and again */
  write(author: string, receiver: string, text: string): Pick<Letter, 'id' | 'handIn'>;
}

export const lastParagraph = (text: string): string => text.trim().split('\n\n').at(-1)!;
