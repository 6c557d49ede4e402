import { z } from 'zod';
import type { EthAddress } from '../../../common/ids.js';
import type { Target } from '../../../gateway/adapter/adapter.js';
import { parseEvent, type MatrixEvent } from '../event.js';
import type { Portal } from './portal.store.js';

/** The type of what one member of a room is still to get. Homeservers bring none of it. */
export const FOLLOW_UP = 'network.dm3.follow-up';

/** What the room itself says to somebody. */
export interface Word {
  readonly target: Target;
  readonly purpose: string;
  readonly text: string;
}

/** What is to be done: pass an event on to a member, or say something to him. */
export interface FollowUp {
  readonly portalId: string;
  readonly identity: EthAddress;
  readonly event: MatrixEvent | null;
  readonly word: Word | null;
}

type Whose = Pick<FollowUp, 'portalId' | 'identity'>;

/** Everybody has a line of his own, which is kept as that of a room is. */
export function lineOf({ portalId, identity }: Whose): string {
  return `${FOLLOW_UP} ${portalId} ${identity}`;
}

/** An event for a member who cannot get it now. The same one is put down once. */
export function eventLater(whose: Whose, event: MatrixEvent): MatrixEvent {
  return order(whose, event.event_id, { event });
}

export function wordLater({ id: portalId }: Pick<Portal, 'id'>, word: Word): MatrixEvent {
  const identity = word.target.address;
  return order({ portalId, identity }, word.purpose, { word });
}

/** Nobody's: whoever wrote the event was let in when it came. */
function order(whose: Whose, id: string, what: object): MatrixEvent {
  const line = lineOf(whose);
  const { portalId, identity } = whose;
  return {
    type: FOLLOW_UP,
    event_id: `${line} ${id}`,
    room_id: line,
    sender: FOLLOW_UP,
    content: { portalId, identity, ...what },
  };
}

const schema = z.object({
  portalId: z.string(),
  identity: z.string(),
  event: z.unknown().optional(),
  word: z.object({ target: z.object({}).loose(), purpose: z.string(), text: z.string() }).optional(),
});

/** Reads only what `eventLater` and `wordLater` wrote. */
export function readFollowUp({ content }: MatrixEvent): FollowUp {
  const { portalId, identity, event, word = null } = schema.parse(content);
  return { portalId, identity: identity as EthAddress, event: parseEvent(event), word: word as Word | null };
}
