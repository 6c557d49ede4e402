import { createHash } from 'node:crypto';
import type { EnsName } from '../../common/ids.js';

/** Every ghost's localpart begins with it; the registration reserves it. */
export const GHOST_PREFIX = 'dm3_';

/** Of the whole user id (Matrix: identifier grammar). */
const MAX_BYTES = 255;
/** Follows `=`: no hex digit, so that no escape looks like it. */
const HASHED = '=h';

export type GhostName =
  | { readonly kind: 'name'; readonly name: EnsName }
  /** The name was too long for an id: only whoever stored it knows which it is. */
  | { readonly kind: 'hashed' };

/**
 * `bob.eth` -> `@dm3_bob.eth:hs.org`. What Matrix does not allow in an id is written byte by byte as `=xx` (Matrix:
 * mapping from other character sets); a name that is too long becomes a hash.
 * @param name normalised
 */
export function ghostId(name: EnsName, server: string): string {
  const id = wholeId(escape(name), server);
  return Buffer.byteLength(id) <= MAX_BYTES ? id : wholeId(HASHED + sha256(name), server);
}

/** The name a ghost's id stands for; null for ids that `ghostId` does not write, on this server or any. */
export function ghostName(userId: string, server: string): GhostName | null {
  const head = `@${GHOST_PREFIX}`;
  const tail = `:${server}`;
  if (!userId.startsWith(head) || !userId.endsWith(tail)) return null;
  const local = userId.slice(head.length, -tail.length);
  if (local.startsWith(HASHED)) return /^=h[0-9a-f]{64}$/.test(local) ? { kind: 'hashed' } : null;
  const name = unescape(local);
  return name !== null && ghostId(name, server) === userId ? { kind: 'name', name } : null;
}

/** True for every id in the reserved namespace, also for those that stand for nobody. */
export function isGhostId(userId: string, server: string): boolean {
  return userId.startsWith(`@${GHOST_PREFIX}`) && userId.endsWith(`:${server}`);
}

/** The localpart of a user id. */
export function localpart(userId: string): string {
  return userId.slice(1, userId.indexOf(':'));
}

function wholeId(local: string, server: string): string {
  return `@${GHOST_PREFIX}${local}:${server}`;
}

function escape(name: string): string {
  const bytes = [...Buffer.from(name)];
  return bytes.map((byte) => (isPlain(byte) ? String.fromCharCode(byte) : `=${hex(byte)}`)).join('');
}

function unescape(local: string): EnsName | null {
  if (!/^(?:[a-z0-9._-]|=[0-9a-f]{2})+$/.test(local)) return null;
  const bytes = local.replace(/=([0-9a-f]{2})/g, '%$1');
  try {
    return decodeURIComponent(bytes) as EnsName;
  } catch {
    return null;
  }
}

function isPlain(byte: number): boolean {
  return /[a-z0-9._-]/.test(String.fromCharCode(byte)) && byte < 0x80;
}

const hex = (byte: number) => byte.toString(16).padStart(2, '0');
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
