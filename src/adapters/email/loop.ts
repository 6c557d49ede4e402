import { createHmac, timingSafeEqual } from 'node:crypto';

/** Every mail of ours carries it; a mail that comes back with it has gone round in a circle. */
export const LOOP_HEADER = 'X-Dm3-Loop';

/** @param id the message's, 64 hex digits */
export function loopMark(secret: Uint8Array, id: string): string {
  return `${id}.${tagOf(secret, id).toString('hex')}`;
}

/** True if this gateway made the mark, so nobody else can stop a mail by writing one. */
export function isOwnLoopMark(secret: Uint8Array, value: string): boolean {
  const [, id, tag] = /^\s*([0-9a-f]{64})\.([0-9a-f]{32})\s*$/.exec(value) ?? [];
  return id !== undefined && tag !== undefined && timingSafeEqual(tagOf(secret, id), Buffer.from(tag, 'hex'));
}

function tagOf(secret: Uint8Array, id: string): Buffer {
  return createHmac('sha256', secret).update('loop\0').update(id).digest().subarray(0, 16);
}
