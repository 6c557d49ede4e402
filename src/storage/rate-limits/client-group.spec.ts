import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { clientGroup } from './client-group.js';

describe('clientGroup', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['fe80::1:2:3:4%eth0', 'fe80:0:0:0::/64'],
    ['1::5.6.7.8', '1:0:0:0::/64'],
    ['a proxy that names nobody', 'a proxy that names nobody'],
  ])('%s is %s', (ip, group) => expect(clientGroup(ip)).toBe(group));

  it('is the same for all that share the first 64 bits, however they are written', () => {
    const group = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16));
    fc.assert(
      fc.property(
        fc.array(group, { minLength: 4, maxLength: 4 }),
        fc.array(group, { minLength: 4, maxLength: 4 }),
        (net, host) => {
          expect(clientGroup([...net, ...host].join(':'))).toBe(clientGroup([...net, '0', '0', '0', '1'].join(':')));
          expect(clientGroup([...net, ...host].map((each) => each.padStart(4, '0')).join(':'))).toBe(
            `${net.join(':')}::/64`,
          );
          expect(clientGroup(new URL(`http://[${[...net, ...host].join(':')}]`).hostname.slice(1, -1))).toBe(
            `${net.join(':')}::/64`,
          );
        },
      ),
    );
  });
});
