import { BlockList, isIP } from 'node:net';

/** IPv4 blocks that are not on the public internet: IANA's special-purpose registry (RFC 6890) and multicast. */
const SPECIAL_IPV4: readonly [string, number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
];

/** Blocks inside 2000::/3 that lead elsewhere: Teredo and other protocol assignments, documentation, 6to4. */
const SPECIAL_IPV6: readonly [string, number][] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

// Two lists each, because a BlockList compares IPv4 addresses with IPv4-mapped IPv6 ones as if they were the same.
const specialIPv4 = blockList(SPECIAL_IPV4, 'ipv4');
const specialIPv6 = blockList(SPECIAL_IPV6, 'ipv6');
const globalIPv6 = blockList([['2000::', 3]], 'ipv6');

/**
 * True if an IP address belongs to the public internet. Of IPv6 only global unicast (RFC 4291 §2.4) counts, so
 * loopback, link-local, unique local, multicast and every form that embeds an IPv4 address do not.
 */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !specialIPv4.check(address, 'ipv4');
  return family === 6 && globalIPv6.check(address, 'ipv6') && !specialIPv6.check(address, 'ipv6');
}

function blockList(subnets: readonly [string, number][], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of subnets) list.addSubnet(network, prefix, family);
  return list;
}
