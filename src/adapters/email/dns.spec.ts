import { describe, expect, it } from '@jest/globals';
import { addressesOf, mailHostsOf, namesOfAddress, textsOf, zoneDns } from './dns.js';

const dns = zoneDns({
  'example.org': {
    MX: [
      { exchange: 'Second.example.org.', priority: 20 },
      { exchange: 'first.example.org', priority: 10 },
    ],
    TXT: [['v=spf1 ', '-all'], ['something else']],
  },
  'nothing.example.org': { MX: [{ exchange: '', priority: 0 }] },
  'first.example.org': { A: ['203.0.113.7'], AAAA: ['2001:db8::7'] },
  '7.113.0.203.in-addr.arpa': { PTR: ['First.example.org.'] },
  '7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa': { PTR: ['first.example.org'] },
});

describe('records out of a zone', () => {
  it('are names in the order of preference, whole texts, and addresses of both kinds', async () => {
    expect(await mailHostsOf(dns, 'example.org')).toEqual(['first.example.org', 'second.example.org']);
    expect(await textsOf(dns, 'example.org')).toEqual(['v=spf1 -all', 'something else']);
    expect(await addressesOf(dns, 'first.example.org')).toEqual(['203.0.113.7', '2001:db8::7']);
  });

  it('are none where there is no name, and where a domain takes no mail (RFC 7505)', async () => {
    expect(await mailHostsOf(dns, 'nobody.example.org')).toEqual([]);
    expect(await mailHostsOf(dns, 'nothing.example.org')).toEqual([]);
  });

  it.each(['203.0.113.7', '2001:db8::7', '2001:0db8:0:0::0007'])('tell what %s is called', async (address) => {
    expect(await namesOfAddress(dns, address)).toEqual(['first.example.org']);
  });

  it('are not made up where the resolver cannot tell', async () => {
    const broken = () => Promise.reject(Object.assign(new Error('timeout'), { code: 'ETIMEOUT' }));
    await expect(textsOf(broken, 'example.org')).rejects.toThrow('timeout');
  });
});
