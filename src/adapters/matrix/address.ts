import type { ForeignAddress } from '../../common/ids.js';

/** Somebody on Matrix, taken apart: `@local:server`. */
export interface UserId {
  readonly local: string;
  readonly server: string;
}

const USER = 'matrix:u/';
const SCHEME = 'matrix:';
const MAX_BYTES = 255;
/** What a URI's path may hold as it is (RFC 3986 pchar) and `encodeURIComponent` escapes all the same. */
const NEEDLESSLY_ESCAPED = /%(?:3A|40|24|26|2B|2C|3B|3D)/g;

export function isMatrix(address: ForeignAddress): boolean {
  return address.startsWith(SCHEME);
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
  const path = encodeURIComponent(userId.slice(1)).replaceAll(NEEDLESSLY_ESCAPED, decodeURIComponent);
  return `${USER}${path}` as ForeignAddress;
}

/** Null for what is no user id. The part before the first colon may hold anything: old accounts do. */
export function parseUserId(text: string): UserId | null {
  const colon = text.indexOf(':');
  if (!text.startsWith('@') || colon < 2 || colon === text.length - 1) return null;
  if (Buffer.byteLength(text) > MAX_BYTES || /\p{Cc}/u.test(text)) return null;
  return { local: text.slice(1, colon), server: text.slice(colon + 1) };
}
