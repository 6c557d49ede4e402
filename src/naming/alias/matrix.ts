import type { ForeignAddress, NetworkId } from '../../common/ids.js';
import { AliasLabelsError, InvalidForeignAddressError, type AliasCodec } from './codec.js';
import { escapeText, unescapeText } from './escape.js';
import { hostLabels, readHostLabels } from './host-part.js';
import { localLabels, readLocalLabels } from './local-part.js';
import { formatMatrixId, matrixUri, parseMatrixId } from './matrix-id.js';

const AT = '_at';
const ROOM = '_room';
const ROOM_ID = '_roomid';
const PORT = '_port';

/**
 * `matrix:u/alice:hs.org` <-> `alice._at.hs.org`, `matrix:r/dev:hs.org` <-> `_room.dev._at.hs.org`; ids of rooms are
 * escaped as a whole, since what they are made of is nobody's business. Names and servers are spelt as in mail, but
 * case counts; a port follows as `_port.8448`.
 */
export const matrixCodec: AliasCodec = {
  network: 'matrix' as NetworkId,
  scheme: 'matrix:',
  canonical: (address) => matrixUri(parseMatrixId(address)) as ForeignAddress,
  encode,
  decode,
};

function encode(address: ForeignAddress): readonly string[] {
  const id = parseMatrixId(address);
  if (id.kind === 'room-id') return [ROOM_ID, ...escapeText(id.opaque)];
  const [host, port] = id.server.split(':') as [string, string?];
  const server = [...hostLabels(host), ...(port === undefined ? [] : [PORT, port])];
  return [...(id.kind === 'room' ? [ROOM] : []), ...localLabels(id.local), AT, ...server];
}

function decode(labels: readonly string[]): ForeignAddress {
  const address = readLabels(labels);
  if (encode(address).join('.') === labels.join('.')) return address;
  throw new AliasLabelsError({ labels, reason: 'is not the canonical spelling', address });
}

/** Reads leniently: whether the spelling is the canonical one is for the caller to compare. */
function readLabels(labels: readonly string[]): ForeignAddress {
  const id = labels[0] === ROOM_ID ? readRoomId(labels) : readUserOrRoom(labels);
  try {
    return matrixCodec.canonical(id);
  } catch (cause) {
    if (!(cause instanceof InvalidForeignAddressError)) throw cause;
    throw new AliasLabelsError({ labels, reason: 'stands for an address that cannot be', cause });
  }
}

function readRoomId(labels: readonly string[]): string {
  const opaque = unescapeText(labels.slice(1));
  if (opaque === null) throw brokenEscape(labels);
  return formatMatrixId({ kind: 'room-id', opaque });
}

function readUserOrRoom(labels: readonly string[]): string {
  const at = labels.indexOf(AT);
  if (at < 0) throw new AliasLabelsError({ labels, reason: `has neither "${AT}" nor "${ROOM_ID}"` });
  const isRoom = labels[0] === ROOM;
  const local = readLocalLabels(labels.slice(isRoom ? 1 : 0, at));
  const server = readServer(labels.slice(at + 1));
  if (local === null || server === null) throw brokenEscape(labels);
  return formatMatrixId({ kind: isRoom ? 'room' : 'user', local, server });
}

function readServer(labels: readonly string[]): string | null {
  if (labels.at(-2) !== PORT) return readHostLabels(labels);
  const host = readHostLabels(labels.slice(0, -2));
  return host === null ? null : `${host}:${labels.at(-1)}`;
}

function brokenEscape(labels: readonly string[]): AliasLabelsError {
  return new AliasLabelsError({ labels, reason: 'holds a broken escape' });
}
