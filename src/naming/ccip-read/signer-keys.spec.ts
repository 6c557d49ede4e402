import { beforeAll, describe, expect, it } from '@jest/globals';
import type { CryptoProvider } from '../../protocol/crypto/provider.js';
import { createSodiumProvider } from '../../protocol/crypto/sodium.js';
import { ccipSigners } from './signer-keys.js';

const ROOT_SECRET = new Uint8Array(32).fill(7);

let crypto: CryptoProvider;
beforeAll(async () => {
  crypto = await createSodiumProvider();
});

describe('the signers of CCIP-read answers', () => {
  it('are the same wherever the root secret is, and differ by version', () => {
    expect(ccipSigners(crypto, ROOT_SECRET, 1)).toEqual({
      current: '0xbcd7b29fb6b62e2a57edc8913578ec5b7a003224',
      next: expect.stringMatching(/^0x[0-9a-f]{40}$/),
      previous: null,
    });
  });

  it('move up one place when the version does, so that a contract can trust the next one beforehand', () => {
    const [first, second] = [1, 2].map((version) => ccipSigners(crypto, ROOT_SECRET, version));
    expect(second).toMatchObject({ previous: first!.current, current: first!.next });
    expect(new Set(Object.values(second!)).size).toBe(3);
  });
});
