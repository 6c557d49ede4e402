import { z } from 'zod';
import type { AdapterContext } from '../../gateway/adapter/adapter.js';

const schema = z.object({
  /** Null until the room is known: the chat of the pair, whichever that is when the message leaves. */
  room: z.string().nullable(),
  /** Who of ours speaks there. */
  ghost: z.string().nullable(),
  /** The event a thread began with; null outside threads. */
  thread: z.string().nullable().default(null),
  /** Written by a machine: gets no notices. */
  auto: z.boolean().default(false),
});

/** What the adapter remembers of a conversation. */
export type MatrixContext = Readonly<z.output<typeof schema>>;

/** Null where there is none, or one of another make. */
export function readContext(context: AdapterContext | null): MatrixContext | null {
  return schema.safeParse(context).data ?? null;
}
