import { z } from 'zod';
import { AppserviceRefusedError } from './errors.js';
import { parseEvent, receiptsIn, type MatrixEvent } from './event.js';
import { isOurOrder } from './portals/command-text.js';

const list = z.array(z.unknown()).default([]);
const schema = z.object({
  events: list,
  ephemeral: list,
  /** Its name before the specification had one; older homeservers write it. */
  'de.sorunome.msc2409.ephemeral': list,
});

export interface Transaction {
  readonly events: MatrixEvent[];
  /** What our own ghosts said: in a room of several it is for the others of dm3, too. */
  readonly echoes: MatrixEvent[];
  /** What is no event at all. It is passed over: the homeserver would bring it again and again. */
  readonly unreadable: number;
}

const SAID = new Set(['m.room.message', 'm.reaction', 'm.room.redaction']);

/**
 * What of a transaction has to be handled. Our own ghosts' events come back with it; what they did to membership we
 * know.
 * @throws AppserviceRefusedError BAD_TRANSACTION
 */
export function readTransaction(body: unknown, isOurs: (userId: string) => boolean): Transaction {
  const { data } = schema.safeParse(body);
  if (!data) throw new AppserviceRefusedError({ code: 'BAD_TRANSACTION', reason: 'This is no transaction.' });
  const parsed = data.events.map((event) => (canBeKept(event) ? parseEvent(event) : null));
  const ephemeral = [...data.ephemeral, ...data['de.sorunome.msc2409.ephemeral']].flatMap(receiptsIn);
  // A type of our own: nobody else speaks for a member.
  const events = [...parsed.filter((event) => event !== null), ...ephemeral].filter(({ type }) => !isOurOrder(type));
  return {
    events: events.filter(({ sender }) => !isOurs(sender)),
    echoes: events.filter((event) => isOurs(event.sender) && isSaid(event)),
    unreadable: parsed.filter((event) => event === null).length,
  };
}

function isSaid({ type, state_key, content }: MatrixEvent): boolean {
  return SAID.has(type) && state_key === undefined && content['msgtype'] !== 'm.notice';
}

/** What is nested thousands deep can be read as JSON and not be written. */
function canBeKept(event: unknown): boolean {
  try {
    return JSON.stringify(event) !== undefined;
  } catch {
    return false;
  }
}
