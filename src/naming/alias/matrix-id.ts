import { INVISIBLE } from '../invisible.js';
import { InvalidForeignAddressError } from './codec.js';
import { hostComplaint } from './host-part.js';

/** Somebody or something on Matrix. Case counts, and so does every code point (Matrix: identifier grammar). */
export type MatrixId =
  | { readonly kind: 'user' | 'room'; readonly local: string; readonly server: string }
  /** Opaque: those of room version 12 hold no server. */
  | { readonly kind: 'room-id'; readonly opaque: string };

const SCHEME = 'matrix:';
/** How Matrix writes them, and how its URIs do. */
const SIGIL = { user: '@', room: '#', 'room-id': '!' } as const;
const PATH = { user: 'u/', room: 'r/', 'room-id': 'roomid/' } as const;
const KINDS = ['user', 'room', 'room-id'] as const;

/** Of an identifier with its sigil and server. */
const MAX_BYTES = 255;
const MAX_PORT = 65_535;
/** What a URI's path may hold as it is (RFC 3986 pchar) and `encodeURIComponent` escapes all the same. */
const NEEDLESSLY_ESCAPED = /%(?:3A|40|24|26|2B|2C|3B|3D)/g;

/**
 * Reads `@alice:hs.org`, `#dev:hs.org`, `!opaque` or the URI of one (`matrix:u/alice:hs.org`); what a URI says beyond
 * that, such as servers to ask, is left out.
 * @throws InvalidForeignAddressError
 */
export function parseMatrixId(text: string): MatrixId {
  const refuse = (reason: string) => new InvalidForeignAddressError({ address: text, reason });
  const id = withSigil(text);
  const kind = id && KINDS.find((each) => id.startsWith(SIGIL[each]));
  if (!id || !kind) throw refuse('is not a Matrix id such as @name:server or #room:server');
  if (INVISIBLE.test(id)) throw refuse('holds invisible characters, control characters or line breaks');
  if (Buffer.byteLength(id) > MAX_BYTES) throw refuse(`is longer than ${MAX_BYTES} bytes`);
  if (kind === 'room-id') return roomId(id.slice(1), refuse);
  const [local, server] = splitAt(id.slice(1), ':');
  return checkedId({ kind, local, server }, refuse);
}

/** `@alice:hs.org` */
export function formatMatrixId(id: MatrixId): string {
  return SIGIL[id.kind] + bareId(id);
}

/** `matrix:u/alice:hs.org` (Matrix: URI scheme) */
export function matrixUri(id: MatrixId): string {
  const path = encodeURIComponent(bareId(id)).replaceAll(NEEDLESSLY_ESCAPED, decodeURIComponent);
  return SCHEME + PATH[id.kind] + path;
}

function bareId(id: MatrixId): string {
  return id.kind === 'room-id' ? id.opaque : `${id.local}:${id.server}`;
}

function roomId(opaque: string, refuse: (reason: string) => Error): MatrixId {
  if (opaque === '') throw refuse('has nothing after the !');
  return { kind: 'room-id', opaque };
}

function checkedId(id: MatrixId & { local: string; server: string }, refuse: (reason: string) => Error): MatrixId {
  if (id.local === '') throw refuse('has no name before the server');
  if (id.server === '') throw refuse('has no server');
  const complaint = serverComplaint(id.server);
  if (complaint !== null) throw refuse(complaint);
  return id;
}

function serverComplaint(server: string): string | null {
  if (server.startsWith('[')) return 'names a host by its IP address';
  const [host, port] = splitAt(server, ':');
  const hasPort = host !== server;
  if (hasPort && !(/^[1-9]\d{0,4}$/.test(port) && Number(port) <= MAX_PORT)) return 'has a port that cannot be';
  return hostComplaint(host, 'server');
}

/** Null for what is neither an id nor a URI of one. */
function withSigil(text: string): string | null {
  if (text.slice(0, SCHEME.length).toLowerCase() !== SCHEME) return text;
  const path = text.slice(SCHEME.length).replace(/[?#].*$/s, '');
  const kind = KINDS.find((each) => path.startsWith(PATH[each]));
  const id = kind && segmentOf(path.slice(PATH[kind].length));
  return id ? SIGIL[kind] + id : null;
}

/** Null if it goes on after the id, to an event, or its escapes are broken. */
function segmentOf(path: string): string | null {
  try {
    return path.includes('/') ? null : decodeURIComponent(path);
  } catch {
    return null;
  }
}

/** Everything is in the first part where the sign is not to be found. */
function splitAt(text: string, sign: string): [string, string] {
  const at = text.indexOf(sign);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
