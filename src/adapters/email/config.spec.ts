import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { emailConfigSchema } from './config.js';
import { loadDkimKey } from './dkim.js';

describe('emailConfigSchema', () => {
  it('needs a domain and has sense for the rest', () => {
    const config = emailConfigSchema.parse({ domains: ['Mail.Example.org', 'bücher.example'] });
    expect(config).toMatchObject({
      domains: ['mail.example.org', 'xn--bcher-kva.example'],
      listen: { host: '0.0.0.0', port: 25 },
      maxMessageBytes: 26_214_400,
      outgoing: { timeoutSeconds: 60, port: 25, allowPrivate: false },
      footer: false,
    });
  });

  it.each([
    [{ domains: [] }],
    [{ domains: ['a@b.test'] }],
    [{ domains: ['mail.test'], dkim: { selector: 's' } }],
    [{ domains: ['mail.test'], dkim: { selector: 's', privateKey: 'x', privateKeyFile: 'y' } }],
    [{ domains: ['mail.test'], listen: { port: 70_000 } }],
    [{ domains: ['mail.test'], unknown: 1 }],
  ])('refuses %j', (input) => {
    expect(emailConfigSchema.safeParse(input).success).toBe(false);
  });
});

describe('loadDkimKey', () => {
  it('takes a key, or none', () => {
    const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(loadDkimKey({ selector: 's', privateKey: pem })).toEqual({ domain: null, selector: 's', privateKey: pem });
    expect(loadDkimKey(undefined)).toBeNull();
  });

  it('says at the start what is wrong with a key', () => {
    expect(() => loadDkimKey({ selector: 's', privateKey: 'nonsense' })).toThrow(/email\.dkim/);
    expect(() => loadDkimKey({ selector: 's', privateKeyFile: '/does/not/exist' })).toThrow(/email\.dkim/);
  });
});
