import { createHmac, timingSafeEqual } from 'node:crypto';
import type { ConversationId } from '../../common/ids.js';

const ID_BYTES = 16;
const MAC_BYTES = 16;

/**
 * The reply delivery instruction (dm3 message transport): says which conversation an answer belongs to, unguessable
 * and unforgeable, and nothing else. base64url of the conversation's UUID and a truncated HMAC-SHA-256.
 */
export class ConversationTokens {
  /** @param key 32 bytes */
  constructor(private readonly key: Uint8Array) {}

  issue(id: ConversationId): string {
    const bytes = Buffer.from(id.replaceAll('-', ''), 'hex');
    return Buffer.concat([bytes, this.#mac(bytes)]).toString('base64url');
  }

  /** Null for anything we did not issue. */
  read(token: unknown): ConversationId | null {
    const bytes = typeof token === 'string' ? Buffer.from(token, 'base64url') : Buffer.alloc(0);
    if (bytes.length !== ID_BYTES + MAC_BYTES) return null;
    const id = bytes.subarray(0, ID_BYTES);
    if (!timingSafeEqual(bytes.subarray(ID_BYTES), this.#mac(id))) return null;
    return id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') as ConversationId;
  }

  #mac(id: Uint8Array): Buffer {
    return createHmac('sha256', this.key).update(id).digest().subarray(0, MAC_BYTES);
  }
}
