import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it, jest } from '@jest/globals';
import { checkAuthentication } from './authentication.js';
import { signMail } from './dkim.js';
import type { DnsResolver } from './dns.js';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
const PEM = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const PUBLIC = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).toString('base64');
const RAW = Buffer.from('From: Alice <alice@example.com>\r\nTo: bob.eth@mail.test\r\nSubject: x\r\n\r\nhello\r\n');
const missing = Object.assign(new Error('no record'), { code: 'ENOTFOUND' });

const DKIM = { 's._domainkey.example.com': `v=DKIM1; k=rsa; p=${PUBLIC}` };
const SPF = { 'example.com': 'v=spf1 ip4:192.0.2.1 -all' };
const dmarc = (policy: string) => ({ '_dmarc.example.com': `v=DMARC1; p=${policy}` });

function records(texts: Record<string, string>): DnsResolver {
  return async (name, rrtype) => {
    if (rrtype !== 'TXT' || texts[name] === undefined) throw missing;
    return [[texts[name]]];
  };
}

async function check(
  texts: Record<string, string> | DnsResolver,
  mail: Partial<Parameters<typeof checkAuthentication>[0]> = {},
) {
  const resolver = typeof texts === 'function' ? texts : records(texts);
  const defaults = {
    raw: RAW,
    author: 'alice@example.com',
    envelopeFrom: 'alice@example.com',
    clientIp: '192.0.2.1',
    helo: 'mx.example.com',
  };
  return checkAuthentication({ ...defaults, ...mail }, { resolver, hostname: 'mail.test', timeoutMs: 5_000 });
}

const sign = (raw: Buffer, domain = 'example.com') =>
  signMail(raw, { domain, selector: 's', privateKey: PEM }, { domain, at: Date.now() });

describe('checkAuthentication', () => {
  it('trusts what DMARC lets pass', async () => {
    const { identity, dmarcFailed } = await check({ ...SPF, ...dmarc('reject') });
    expect(identity).toEqual({ verdict: 'verified', detail: 'SPF pass, DKIM none, DMARC pass' });
    expect(dmarcFailed).toBe(false);
    const signed = await check({ ...DKIM, ...dmarc('none') }, { raw: await sign(RAW), clientIp: '203.0.113.9' });
    expect(signed.identity).toEqual({ verdict: 'verified', detail: 'SPF none, DKIM pass, DMARC pass' });
  });

  it('trusts an aligned signature or sender where there is no DMARC record', async () => {
    expect((await check(SPF)).identity.verdict).toBe('verified');
    const signed = await check(DKIM, { raw: await sign(RAW), clientIp: '203.0.113.9' });
    expect(signed.identity).toEqual({ verdict: 'verified', detail: 'SPF none, DKIM pass, DMARC none' });
  });

  it("does not trust somebody else's signature or sender", async () => {
    const foreign = { 's._domainkey.evil.test': DKIM['s._domainkey.example.com'], 'evil.test': SPF['example.com'] };
    const { identity } = await check(foreign, { raw: await sign(RAW, 'evil.test'), envelopeFrom: 'x@evil.test' });
    expect(identity).toEqual({ verdict: 'unverified', detail: 'SPF pass, DKIM pass, DMARC none' });
  });

  it('calls a mail forged only where the domain asks for that', async () => {
    const spoof = { clientIp: '203.0.113.9' };
    for (const policy of ['reject', 'quarantine']) {
      const { identity, dmarcFailed } = await check({ ...SPF, ...dmarc(policy) }, spoof);
      expect(identity).toEqual({ verdict: 'forged', detail: 'SPF fail, DKIM none, DMARC fail' });
      expect(dmarcFailed).toBe(true);
    }
    const lenient = await check({ ...SPF, ...dmarc('none') }, spoof);
    expect(lenient).toMatchObject({ identity: { verdict: 'unverified' }, dmarcFailed: true });
  });

  it('tells whether a report would reach whoever sent the mail', async () => {
    const elsewhere = { envelopeFrom: 'victim@victim.test' };
    const victim = { 'victim.test': 'v=spf1 ip4:192.0.2.9 -all' };
    expect((await check(SPF)).bounceable).toBe(true);
    expect((await check({})).bounceable).toBe(true);
    expect((await check({}, elsewhere)).bounceable).toBe(false);
    expect((await check(victim, elsewhere)).bounceable).toBe(false);
    expect((await check(victim, { ...elsewhere, clientIp: '192.0.2.9' })).bounceable).toBe(true);
    expect((await check(SPF, { clientIp: '203.0.113.9' })).bounceable).toBe(false);
  });

  it('notices a changed body', async () => {
    const raw = Buffer.from((await sign(RAW)).toString().replace('hello', 'hell'));
    const { identity } = await check({ ...DKIM, ...dmarc('reject') }, { raw, clientIp: '203.0.113.9' });
    expect(identity).toMatchObject({ verdict: 'forged', detail: expect.stringContaining('DKIM') });
  });

  it('is not fooled by a second author', async () => {
    const two = Buffer.from(`From: evil@evil.test\r\n${RAW.toString()}`);
    expect((await check({ ...SPF, ...dmarc('reject') }, { raw: two })).identity.verdict).toBe('unverified');
    expect((await check({ ...SPF, ...dmarc('reject') }, { author: 'boss@bank.test' })).identity.verdict).toBe(
      'unverified',
    );
  });

  it('says so when DNS does not answer', async () => {
    const failing: DnsResolver = async () => {
      throw Object.assign(new Error('no answer'), { code: 'ESERVFAIL' });
    };
    const { identity } = await check(failing);
    expect(identity.verdict).toBe('unverified');
    expect(identity.detail).toContain('could not be checked');
  });

  it('does not wait for ever', async () => {
    jest.useFakeTimers();
    try {
      const silent: DnsResolver = () => new Promise(() => {});
      const work = check(silent);
      await jest.advanceTimersByTimeAsync(5_000);
      expect((await work).identity).toEqual({
        verdict: 'unverified',
        detail: 'SPF, DKIM and DMARC could not be checked',
      });
    } finally {
      jest.useRealTimers();
    }
  });

  it('takes a client on this machine and a null sender', async () => {
    const { identity } = await check({}, { clientIp: '127.0.0.1', envelopeFrom: '', helo: 'localhost' });
    expect(identity).toEqual({ verdict: 'unverified', detail: 'SPF none, DKIM none, DMARC none' });
  });
});
