import { createPublicKey, createVerify, createSign } from 'node:crypto';
import { expect, it } from '@jest/globals';
import { dkimKey } from '../config/secret-files.js';
import { dkimRecord } from './dkim-record.js';

it('publishes the public half of the key that signs', () => {
  const pem = dkimKey();
  const record = dkimRecord(pem);
  const [, published] = /^v=DKIM1; k=rsa; p=([A-Za-z0-9+/=]+)$/.exec(record)!;
  const publicKey = createPublicKey({ key: Buffer.from(published!, 'base64'), format: 'der', type: 'spki' });
  const signature = createSign('sha256').update('a mail').sign(pem);
  expect(createVerify('sha256').update('a mail').verify(publicKey, signature)).toBe(true);
});
