import { describe } from '@jest/globals';
import * as fc from 'fast-check';
import { itObeysTheLawsOfNames } from '../../../test/support/alias-laws.js';
import { xmtpCodec } from './xmtp.js';

const RUNS = 10_000;

const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((each) => Buffer.from(each).toString('hex'));
const withCapitals = (text: fc.Arbitrary<string>) => fc.oneof(text, fc.mixedCase(text));

describe(`${RUNS} addresses and inboxes of XMTP`, () => {
  itObeysTheLawsOfNames({
    codec: xmtpCodec,
    texts: fc.oneof(withCapitals(hex(20).map((digits) => `0x${digits}`)), withCapitals(hex(32))),
    runs: RUNS,
    kinds: [
      [/^0x[0-9a-f]{40}\.xmtp\./, 0.3],
      [/^_inbox\.[a-z2-7]{52}\.xmtp\./, 0.3],
    ],
  });
});
