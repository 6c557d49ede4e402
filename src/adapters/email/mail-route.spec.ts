import { describe, expect, it } from '@jest/globals';
import type { DnsResolver } from './dns.js';
import { findMailHosts } from './mail-route.js';

type Records = Record<string, Record<string, unknown[]>>;
const fail = (code: string) => Object.assign(new Error(code), { code });

function dns(records: Records, otherwise = 'ENODATA'): DnsResolver {
  return async (name, rrtype) => {
    const found = records[name]?.[rrtype];
    if (!found) throw fail(otherwise);
    return found;
  };
}
const mx = (exchange: string, priority: number) => ({ exchange, priority });
const A = '192.0.2.1';
// Documentation networks (RFC 5737) are public as far as routing goes; so is this one.
const AAAA = '2001:db8::1';
const hosts = (resolver: DnsResolver, allowPrivate = false) => findMailHosts('example.com', resolver, allowPrivate);

describe('findMailHosts', () => {
  it('goes through the mail exchangers by preference, every address of each', async () => {
    const records = {
      'example.com': { MX: [mx('b.test', 20), mx('a.test.', 10)] },
      'a.test': { A: [A], AAAA: [AAAA] },
      'b.test': { A: ['192.0.2.2'] },
    };
    await expect(hosts(dns(records))).resolves.toEqual([
      { name: 'a.test', address: A },
      { name: 'a.test', address: AAAA },
      { name: 'b.test', address: '192.0.2.2' },
    ]);
  });

  it('takes the domain itself where there is no MX', async () => {
    await expect(hosts(dns({ 'example.com': { A: [A] } }))).resolves.toEqual([{ name: 'example.com', address: A }]);
  });

  it('passes over an exchanger without address', async () => {
    const records = { 'example.com': { MX: [mx('gone.test', 1), mx('a.test', 2)] }, 'a.test': { A: [A] } };
    await expect(hosts(dns(records))).resolves.toEqual([{ name: 'a.test', address: A }]);
  });

  it('respects a null MX', async () => {
    for (const exchange of ['', '.']) {
      const records = { 'example.com': { MX: [mx(exchange, 0)], A: [A] } };
      await expect(hosts(dns(records))).rejects.toMatchObject({ code: 'DOMAIN_TAKES_NO_MAIL', retryable: false });
    }
  });

  it('gives up on a domain that does not exist', async () => {
    await expect(hosts(dns({}, 'ENOTFOUND'))).rejects.toMatchObject({ code: 'DOMAIN_NOT_FOUND', retryable: false });
  });

  it('tries again when DNS does not answer', async () => {
    await expect(hosts(dns({}, 'ESERVFAIL'))).rejects.toMatchObject({ code: 'DNS_UNAVAILABLE', retryable: true });
    await expect(hosts(dns({}, 'ETIMEOUT'))).rejects.toMatchObject({ retryable: true });
  });

  it.each([
    '127.0.0.1',
    '10.1.2.3',
    '172.20.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '255.255.255.255',
    '::1',
    '::ffff:127.0.0.1',
    'fd00::1',
    'fe80::1',
  ])('does not go to %s unless allowed', async (address) => {
    const records = { 'example.com': { [address.includes(':') ? 'AAAA' : 'A']: [address] } };
    await expect(hosts(dns(records))).rejects.toMatchObject({ code: 'MAIL_HOST_PRIVATE', retryable: false });
    await expect(hosts(dns(records), true)).resolves.toEqual([{ name: 'example.com', address }]);
  });
});
