import { z } from 'zod';
import type { AdapterContext } from '../../gateway/adapter/adapter.js';

const schema = z.object({
  /** Of the first mail, without `Re:` of ours. */
  subject: z.string(),
  /** The thread's message ids, oldest first; the last one is the latest message. At most twenty. */
  references: z.array(z.string()),
  /** The author outside, spelled as he spells himself. */
  peer: z.object({ address: z.string(), name: z.string() }),
  /** The mail domain of ours that he wrote to. */
  domain: z.string(),
  /** Where bounces of the latest foreign mail go; empty for the null sender and for threads that we opened. */
  envelopeFrom: z.string(),
  /** Written by a machine (RFC 3834): gets no notices. */
  auto: z.boolean(),
  /** A notice would hit somebody who did not write the mail. */
  dmarcFailed: z.boolean(),
  /** The envelope sender is who he says: only he may be sent a notice. Absent in contexts of our own threads. */
  bounceable: z.boolean().default(false),
});

/** What the adapter remembers of a mail thread. */
export type EmailContext = Readonly<z.output<typeof schema>>;

/** Null where there is none, or one of another make. */
export function readContext(context: AdapterContext | null): EmailContext | null {
  return schema.safeParse(context).data ?? null;
}
