import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { anyText } from '../../../test/support/any-text.js';
import type { EnsName, EthAddress } from '../../common/ids.js';
import { stringify } from '../../protocol/encoding/stringify.js';
import { predictEnvelopeSize } from '../../protocol/envelope/envelope.js';
import type { ForeignMessage, Target } from '../adapter/adapter.js';
import type { NeutralAttachment } from '../adapter/message.js';
import type { Shelf } from '../attachments/shrink.js';
import type { Ghost } from '../ghosts/ghost.service.js';
import { composeMessage } from './compose.js';
import { fitToReceivers } from './fit-size.js';

const ghost = { name: 'dora._at.example.org.email.gateway.eth' as EnsName } as Ghost;
const identity = { verdict: 'unverified', detail: 'SPF none' } as const;
const shelf: Shelf = {
  maxBytes: 1_000_000,
  maxBytesPerMessage: 1_000_000,
  link: (file) => ({ ...file, link: { id: '', key: new Uint8Array(), expiresAt: new Date() } }),
  line: ({ name }) => `${name} is elsewhere`,
};
const target = (name: string, sizeLimit: number | null): Target => ({
  name: name as EnsName,
  address: '0x' as EthAddress,
  sizeLimit,
});
const message = (text: string, attachments: readonly NeutralAttachment[], ...to: Target[]) =>
  ({
    message: { type: 'new', text, subject: 'A *subject*', attachments, sentAt: 1 },
    identity,
    to,
  }) as unknown as ForeignMessage;
const file = (name: string, size: number): NeutralAttachment => ({
  name,
  mediaType: 'image/png',
  content: { bytes: new Uint8Array(size) },
});

/** As the envelope will be, but for what is reserved. */
function envelopeBytes({ message: content, to }: ForeignMessage): number {
  const parts = { from: ghost.name, to: to[0]!.name, identity, reference: null, replyToken: '' };
  return predictEnvelopeSize(Buffer.byteLength(stringify(composeMessage({ ...parts, message: content }))));
}

describe('fitToReceivers', () => {
  it('gives each receiver what fits for him', () => {
    const receivers = [
      target('small.eth', 60_000),
      target('large.eth', 200_000),
      target('huge.eth', 9_000_000),
      target('silent.eth', null),
    ];
    const fitted = fitToReceivers(
      message('Hi', [file('a', 50_000), file('b', 90_000), file('c', 900)], ...receivers),
      ghost,
      shelf,
    );
    const linked = receivers.map((receiver) => fitted.get(receiver)?.files.map(({ name }) => name));
    expect(linked).toEqual([['b', 'a'], ['b'], undefined, undefined]);
  });

  it('refuses what does not fit where nothing is kept, and what does not fit even so, naming the limit', () => {
    const large = message('Hi', [file('a', 50_000)], target('bob.eth', 20_000));
    const expected = { code: 'MESSAGE_TOO_LARGE', facts: expect.objectContaining({ limitBytes: 20_000 }) };
    expect(() => fitToReceivers(large, ghost, null)).toThrow(expect.objectContaining(expected));
    const tiny = message('Hi', [], target('bob.eth', 1_000));
    expect(() => fitToReceivers(tiny, ghost, shelf)).toThrow(expect.objectContaining({ code: 'MESSAGE_TOO_LARGE' }));
  });

  it('counts what the message will have, and a few bytes for what it does not know', () => {
    const attachment = fc.record({
      name: anyText({ minLength: 1, maxLength: 20 }),
      mediaType: fc.constantFrom('a/b', 'application/octet-stream'),
      content: fc.oneof(
        fc.nat({ max: 3_000 }).map((size) => ({ bytes: randomBytes(size) })),
        fc.webUrl().map((uri) => ({ uri })),
      ),
    });
    fc.assert(
      fc.property(anyText({ maxLength: 5_000 }), fc.array(attachment, { maxLength: 4 }), (text, files) => {
        const bytes = envelopeBytes(message(text, files, target('bob.eth', 0)));
        let counted = 0;
        try {
          fitToReceivers(message(text, files, target('bob.eth', 0)), ghost, null);
        } catch (error) {
          counted = (error as { facts: { sizeBytes: number } }).facts.sizeBytes;
        }
        expect(counted).toBeGreaterThanOrEqual(bytes);
        expect(counted).toBeLessThanOrEqual(bytes + 6_000); // padding goes in blocks
      }),
    );
  });
});
