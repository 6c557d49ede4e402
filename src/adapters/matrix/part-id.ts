import { createHash } from 'node:crypto';
import type { RemoteId } from '../../common/ids.js';
import type { Part } from './rendering.js';

/**
 * A part of a message on its way to Matrix. The core needs an id before the homeserver gives one, the homeserver a
 * transaction id that is the same at every attempt: this is both.
 */
export interface PartId {
  /** 40 hex digits. */
  readonly message: string;
  /** 0 is the text, or the first file where there is none. */
  readonly index: number;
}

/** @param id of the dm3 message or notice */
export function messageOf(id: string): string {
  return createHash('sha256').update(`dm3-gateway matrix ${id}`).digest('hex').slice(0, 40);
}

export function partId({ message, index }: PartId): RemoteId {
  return `dm3.${message}.${index}` as RemoteId;
}

/** Null for ids of events, which begin with `$`. */
export function readPartId(remoteId: RemoteId | string): PartId | null {
  const match = /^dm3\.([0-9a-f]{40})\.(\d{1,5})$/.exec(remoteId);
  return match && { message: match[1]!, index: Number(match[2]) };
}

/** Transaction id of something the gateway does once for each event, whatever it is called. */
export function transactionFor(purpose: string, eventId: string): string {
  return `dm3.${purpose}.${messageOf(`${purpose} ${eventId}`)}`;
}

/** Tells whether two files are the same; null for a text. */
export function fileDigest(part: Part): string | null {
  if (part.kind === 'text') return null;
  const { name, mediaType, base64 } = part;
  return createHash('sha256')
    .update(JSON.stringify([name, mediaType]))
    .update(base64)
    .digest('base64url');
}
