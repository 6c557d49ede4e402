import { createECDH, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { RecipientInvalidError } from './errors.js';
import { parsePushSubscription } from './push-subscription.js';

const point = createECDH('prime256v1').generateKeys();
const auth = randomBytes(16);
const endpoint = 'https://push.example/a?b=c';
const keys = { p256dh: point.toString('base64url'), auth: auth.toString('base64url') };
const parse = (value: unknown, allowHttp = false) => parsePushSubscription(value, { allowHttp });

describe('a push subscription', () => {
  it.each([
    ['an object', { endpoint, expirationTime: null, keys }],
    ['JSON text', JSON.stringify({ endpoint, keys, more: 1 })],
  ])('is read from %s, and what pushing does not need is dropped', (_, value) => {
    expect(parse(value)).toEqual({ endpoint, keys });
  });

  it('may have its keys in plain base64', () => {
    const plain = { p256dh: point.toString('base64'), auth: auth.toString('base64') };
    expect(parse({ endpoint, keys: plain }).keys).toEqual(plain);
  });

  it.each([
    ['text', 'https://push.example'],
    ['null', null],
    ['JSON null', 'null'],
    ['no endpoint', { keys }],
    ['no keys', { endpoint }],
    ['an http endpoint', { endpoint: 'http://push.example/', keys }],
    ['a file', { endpoint: 'file:///etc/passwd', keys }],
    ['an endpoint that is no URL', { endpoint: 'push.example', keys }],
    ['an endpoint with a password', { endpoint: 'https://user:secret@push.example/', keys }],
    ['an endless endpoint', { endpoint: `https://push.example/${'a'.repeat(2_000)}`, keys }],
    ['a compressed key', { endpoint, keys: { ...keys, p256dh: Buffer.alloc(33, 2).toString('base64url') } }],
    ['a key off the curve', { endpoint, keys: { ...keys, p256dh: Buffer.alloc(65, 4).toString('base64url') } }],
    ['a short secret', { endpoint, keys: { ...keys, auth: 'AAAA' } }],
    ['a secret that is no text', { endpoint, keys: { ...keys, auth: 16 } }],
  ])('is not %s', (_, value) => {
    expect(() => parse(value)).toThrow(RecipientInvalidError);
  });

  it('may be at an http URL in a sandbox, and at no other', () => {
    const local = { endpoint: 'http://127.0.0.1:8080/push', keys };
    expect(parse(local, true)).toEqual(local);
    expect(() => parse({ endpoint: 'ftp://127.0.0.1/', keys }, true)).toThrow('not an https URL');
  });
});
