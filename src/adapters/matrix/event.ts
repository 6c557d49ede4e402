import { z } from 'zod';

const schema = z.object({
  type: z.string().min(1),
  event_id: z.string().min(1),
  room_id: z.string().min(1),
  sender: z.string().min(1),
  content: z.record(z.string(), z.unknown()).default({}),
  state_key: z.string().optional(),
  redacts: z.string().optional(),
  origin_server_ts: z.number().optional(),
  unsigned: z.record(z.string(), z.unknown()).optional(),
});

/** An event as the homeserver brings it; what is not named here is nobody's business. */
export type MatrixEvent = Readonly<z.output<typeof schema>>;

/** A read receipt, which is no event of its own: it gets an id so that it is handled once. */
export const RECEIPT = 'm.receipt';
const RECEIPT_ID = 'receipt ';

/** Null for what is no event: it cannot be told from a repeat, nor belong anywhere. */
export function parseEvent(value: unknown): MatrixEvent | null {
  return schema.safeParse(value).data ?? null;
}

const receiptSchema = z.object({
  type: z.literal(RECEIPT),
  room_id: z.string().min(1),
  content: z.record(z.string(), z.object({ 'm.read': z.record(z.string(), z.unknown()).optional() })),
});

/** The receipts of an ephemeral event, one a reader and message; typing, presence and the like are none. */
export function receiptsIn(value: unknown): MatrixEvent[] {
  const { data } = receiptSchema.safeParse(value);
  if (!data) return [];
  return Object.entries(data.content).flatMap(([about, { 'm.read': readers = {} }]) =>
    Object.keys(readers).map((sender) => ({
      type: RECEIPT,
      event_id: `${RECEIPT_ID}${about} ${sender}`,
      room_id: data.room_id,
      sender,
      content: { about },
    })),
  );
}

/** Nobody wrote it, so nobody is told what became of it. */
export function isReceiptId(eventId: string): boolean {
  return eventId.startsWith(RECEIPT_ID);
}

/** Encryption was switched on: anybody may write a message of this type, and it means nothing. */
export function isEncryptionState({ type, state_key }: MatrixEvent): boolean {
  return type === 'm.room.encryption' && state_key === '';
}

/** A member of an event's content, if it is text. */
export function textIn(content: Readonly<Record<string, unknown>>, key: string): string | null {
  const value = content[key];
  return typeof value === 'string' ? value : null;
}

/** A member of an event's content, if it is an object. */
export function objectIn(content: Readonly<Record<string, unknown>>, key: string): Readonly<Record<string, unknown>> {
  const value = content[key];
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : {};
}

/** What something in a room answers: events of other rooms cannot be answered there. */
export function aboutIn(room: string, event: MatrixEvent): string | undefined {
  return event.room_id === room ? event.event_id : undefined;
}

/** Whether a file has to be fetched for it, as its sender says. */
export function bringsFile({ content }: MatrixEvent): boolean {
  const said = 'm.new_content' in content ? objectIn(content, 'm.new_content') : content;
  return textIn(said, 'url') !== null;
}
