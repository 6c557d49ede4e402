import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import { createNobleProvider } from '../crypto/noble.js';
import { createSodiumProvider } from '../crypto/sodium.js';
import { fromBase64 } from '../encoding/base64.js';
import { type ClaimKind, claimText, signClaim, verifyClaim } from './claims.js';

interface Claim {
  dm3Name: string;
  claimString: string;
  claimSignature: string;
  removeString: string;
  removeSignature: string;
  signingKeyPair: { publicKey: string; privateKey: string };
}

const require = createRequire(import.meta.url);
const { vectors } = require('../../../test/vectors/misc.json') as { vectors: { claims?: Claim[] }[] };
const cases = vectors
  .flatMap((vector) => vector.claims ?? [])
  .flatMap(({ dm3Name, signingKeyPair, ...claim }) => [
    { kind: 'alias' as ClaimKind, dm3Name, text: claim.claimString, signature: claim.claimSignature, signingKeyPair },
    {
      kind: 'remove' as ClaimKind,
      dm3Name,
      text: claim.removeString,
      signature: claim.removeSignature,
      signingKeyPair,
    },
  ]);

describe.each([createNobleProvider(), await createSodiumProvider()])('claims with $name', (crypto) => {
  it.each(cases)('are the client library’s: $text', ({ kind, dm3Name, text, signature, signingKeyPair }) => {
    const publicKey = fromBase64(signingKeyPair.publicKey);
    expect(claimText(kind, dm3Name)).toBe(text);
    expect(signClaim(crypto, kind, dm3Name, fromBase64(signingKeyPair.privateKey))).toBe(signature);
    expect(verifyClaim(crypto, kind, dm3Name, signature, publicKey)).toBe(true);
    expect(verifyClaim(crypto, kind === 'alias' ? 'remove' : 'alias', dm3Name, signature, publicKey)).toBe(false);
    expect(verifyClaim(crypto, kind, `x${dm3Name}`, signature, publicKey)).toBe(false);
  });
});
