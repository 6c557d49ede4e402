import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { ConversationId } from '../../common/ids.js';
import { ConversationTokens } from './token.js';

const tokens = new ConversationTokens(new Uint8Array(32).fill(1));
const others = new ConversationTokens(new Uint8Array(32).fill(2));
const id = fc.uuid().map((uuid) => uuid as ConversationId);

describe('ConversationTokens', () => {
  it('read what they issued, always the same, and nothing that others issued', () => {
    fc.assert(
      fc.property(id, id, (one, other) => {
        const token = tokens.issue(one);
        expect(token).toMatch(/^[\w-]{43}$/);
        expect(tokens.read(token)).toBe(one);
        expect(tokens.issue(one)).toBe(token);
        expect(others.read(token)).toBeNull();
        expect(tokens.issue(other) === token).toBe(one === other);
      }),
    );
  });

  it('notice every changed bit', () => {
    fc.assert(
      fc.property(id, fc.nat({ max: 255 }), (one, bit) => {
        const bytes = Buffer.from(tokens.issue(one), 'base64url');
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        expect(tokens.read(bytes.toString('base64url'))).toBeNull();
      }),
    );
  });

  it('say nothing of the conversation to whoever forges one', () => {
    fc.assert(fc.property(fc.string(), (text) => expect(tokens.read(text)).toBeNull()));
    for (const forged of [undefined, null, 7, {}, '', 'A'.repeat(43), `${'A'.repeat(43)}A`]) {
      expect(tokens.read(forged)).toBeNull();
    }
  });
});
