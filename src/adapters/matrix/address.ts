import type { ForeignAddress } from '../../common/ids.js';

/** Somebody on Matrix, taken apart: `@local:server`. */
export interface UserId {
  readonly local: string;
  readonly server: string;
}

const USER = 'matrix:u/';
const ROOM = /^matrix:(?:r|roomid)\//;
const SCHEME = 'matrix:';
const MAX_BYTES = 255;
/** What a URI's path may hold as it is (RFC 3986 pchar) and `encodeURIComponent` escapes all the same. */
const NEEDLESSLY_ESCAPED = /%(?:3A|40|24|26|2B|2C|3B|3D)/g;

export function isMatrix(address: ForeignAddress): boolean {
  return address.startsWith(SCHEME);
}

export function isRoom(address: ForeignAddress): boolean {
  return ROOM.test(address);
}

/** `matrix:u/alice:hs.org` -> `@alice:hs.org`; what is not the address of a person, as it is without its scheme. */
export function formatAddress(address: ForeignAddress): string {
  const path = decodeURIComponent(address.slice(SCHEME.length));
  return path
    .replace(/^u\//, '@')
    .replace(/^r\//, '#')
    .replace(/^roomid\//, '!');
}

/** `@alice:hs.org`; null if the address is that of a room. */
export function userOf(address: ForeignAddress): string | null {
  return address.startsWith(USER) ? `@${decodeURIComponent(address.slice(USER.length))}` : null;
}

/** `@alice:hs.org` -> `matrix:u/alice:hs.org` */
export function toForeign(userId: string): ForeignAddress {
  return `${USER}${escaped(userId.slice(1))}` as ForeignAddress;
}

/** `#dev:hs.org` -> `matrix:r/dev:hs.org`; the id of a room -> `matrix:roomid/…` */
export function roomToForeign(room: string): ForeignAddress {
  const kind = room.startsWith('#') ? 'r' : 'roomid';
  return `${SCHEME}${kind}/${escaped(room.slice(1))}` as ForeignAddress;
}

function escaped(id: string): string {
  return encodeURIComponent(id).replaceAll(NEEDLESSLY_ESCAPED, decodeURIComponent);
}

/** Null for what is no user id. The part before the first colon may hold anything: old accounts do. */
export function parseUserId(text: string): UserId | null {
  const colon = text.indexOf(':');
  if (!text.startsWith('@') || colon < 2 || colon === text.length - 1) return null;
  if (Buffer.byteLength(text) > MAX_BYTES || /\p{Cc}/u.test(text)) return null;
  return { local: text.slice(1, colon), server: text.slice(colon + 1) };
}
