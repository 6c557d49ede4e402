import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { matrixUri, parseMatrixId } from '../../naming/alias/matrix-id.js';
import { formatAddress, isRoom, roomToForeign, toForeign } from './address.js';

const local = fc.string({ unit: fc.constantFrom(...'abZ09._=-/+!%ä🦊 #@~\'"()'), minLength: 1, maxLength: 30 });
const server = fc.constantFrom('hs.org', 'matrix.example.com', 'hs.org:8448');

describe('the address of a room or a person', () => {
  it('is the one that its dm3 name stands for', () => {
    fc.assert(
      fc.property(local, server, (name, at) => {
        const [user, alias, id] = [`@${name}:${at}`, `#${name}:${at}`, `!${name}:${at}`];
        fc.pre(isReadable(user));
        expect(toForeign(user)).toBe(matrixUri(parseMatrixId(user)));
        for (const room of [alias, id, `!${name}`]) {
          expect(roomToForeign(room)).toBe(matrixUri(parseMatrixId(room)));
          expect(isRoom(roomToForeign(room))).toBe(true);
          expect(formatAddress(roomToForeign(room))).toBe(room);
        }
        expect(isRoom(toForeign(user))).toBe(false);
      }),
    );
  });
});

function isReadable(id: string): boolean {
  try {
    return parseMatrixId(id).kind === 'user';
  } catch {
    return false;
  }
}
