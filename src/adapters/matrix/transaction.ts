import { z } from 'zod';
import { AppserviceRefusedError } from './errors.js';
import { parseEvent, receiptsIn, type MatrixEvent } from './event.js';

const list = z.array(z.unknown()).default([]);
const schema = z.object({
  events: list,
  ephemeral: list,
  /** Its name before the specification had one; older homeservers write it. */
  'de.sorunome.msc2409.ephemeral': list,
});

export interface Transaction {
  readonly events: MatrixEvent[];
  /** What is no event at all. It is passed over: the homeserver would bring it again and again. */
  readonly unreadable: number;
}

/**
 * What of a transaction has to be handled. Our own ghosts' events come back with it; only what they did to others'
 * membership could matter, and that we know.
 * @throws AppserviceRefusedError BAD_TRANSACTION
 */
export function readTransaction(body: unknown, isOurs: (userId: string) => boolean): Transaction {
  const { data } = schema.safeParse(body);
  if (!data) throw new AppserviceRefusedError({ code: 'BAD_TRANSACTION', reason: 'This is no transaction.' });
  const parsed = data.events.map((event) => (canBeKept(event) ? parseEvent(event) : null));
  const ephemeral = [...data.ephemeral, ...data['de.sorunome.msc2409.ephemeral']].flatMap(receiptsIn);
  const events = [...parsed.filter((event) => event !== null), ...ephemeral];
  return {
    events: events.filter(({ sender }) => !isOurs(sender)),
    unreadable: parsed.filter((event) => event === null).length,
  };
}

/** What is nested thousands deep can be read as JSON and not be written. */
function canBeKept(event: unknown): boolean {
  try {
    return JSON.stringify(event) !== undefined;
  } catch {
    return false;
  }
}
