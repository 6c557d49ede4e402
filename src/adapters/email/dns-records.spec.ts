import { createPublicKey, createSign, createVerify, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { dkimKey } from '../../config/secret-files.js';
import { emailConfigSchema } from './config.js';
import { dkimValue, recordsOf, zoneLine } from './dns-records.js';

const configOf = (changes: object) => emailConfigSchema.parse({ domains: ['a.example', 'b.example'], ...changes });
const spfOf = (config: ReturnType<typeof configOf>) => recordsOf(config, 'a.example')[1]!.value;

describe('the DKIM record', () => {
  it('publishes the public half of the key that signs', () => {
    const pem = dkimKey();
    const [, published] = /^v=DKIM1; k=rsa; p=([A-Za-z0-9+/=]+)$/.exec(dkimValue(pem))!;
    const publicKey = createPublicKey({ key: Buffer.from(published!, 'base64'), format: 'der', type: 'spki' });
    const signature = createSign('sha256').update('a mail').sign(pem);
    expect(createVerify('sha256').update('a mail').verify(publicKey, signature)).toBe(true);
  });

  it('holds the 32 bytes of an Ed25519 key (RFC 8463)', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const [, published] = /^v=DKIM1; k=ed25519; p=(.+)$/.exec(
      dkimValue(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
    )!;
    expect(Buffer.from(published!, 'base64')).toEqual(Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url'));
  });

  it('is left to the domain that all sign as', () => {
    const config = configOf({ dkim: { selector: 'k', privateKey: dkimKey(), domain: 'b.example' } });
    const names = (domain: string) => recordsOf(config, domain).map(({ name }) => name);
    expect(names('a.example')).not.toContain('k._domainkey.a.example');
    expect(names('b.example')).toContain('k._domainkey.b.example');
  });
});

it('lets the smart host send, by name or by address', () => {
  const via = (host: string) => configOf({ outgoing: { smartHost: { host } } });
  expect(spfOf(configOf({}))).toBe('v=spf1 mx -all');
  expect(spfOf(via('relay.example'))).toBe('v=spf1 mx a:relay.example -all');
  expect(spfOf(via('203.0.113.7'))).toBe('v=spf1 mx ip4:203.0.113.7 -all');
  expect(spfOf(via('2001:db8::7'))).toBe('v=spf1 mx ip6:2001:db8::7 -all');
});

it('cuts long texts into strings that DNS takes', () => {
  const line = zoneLine({ name: 'x.example', type: 'TXT', value: 'a'.repeat(300), purpose: '' });
  expect(line).toBe(`x.example. IN TXT "${'a'.repeat(255)}" "${'a'.repeat(45)}"`);
  expect(zoneLine({ name: 'x.example', type: 'MX', value: '10 y.example.', purpose: '' })).toBe(
    'x.example. IN MX 10 y.example.',
  );
});
