import { Resolver } from 'node:dns/promises';
import { isIPv4 } from 'node:net';

/** Answers as Node's `dns.resolve` does: strings for A and AAAA, string arrays for TXT, `{ exchange, priority }` for MX. */
export type DnsResolver = (name: string, rrtype: string) => Promise<unknown>;

/** The resolvers of this machine, at most about ten seconds a question. */
export function systemDns(): DnsResolver {
  const resolver = new Resolver({ timeout: 5_000, tries: 2 });
  return (name, rrtype) => resolver.resolve(name, rrtype);
}

/** True if the resolver is sure that there is no such record; anything else it throws means "ask again later". */
export function isMissingRecord(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === 'ENOTFOUND' || code === 'ENODATA';
}

/** All strings of a TXT record in one, as SPF, DKIM and DMARC read them. None if there is no such record. */
export async function textsOf(resolver: DnsResolver, name: string): Promise<string[]> {
  const records = (await recordsOf(resolver, name, 'TXT')) as string[][];
  return records.map((strings) => strings.join(''));
}

/** Names of a domain's mail servers, the preferred one first. */
export async function mailHostsOf(resolver: DnsResolver, domain: string): Promise<string[]> {
  const records = (await recordsOf(resolver, domain, 'MX')) as { exchange: string; priority: number }[];
  const ranked = records.toSorted((one, other) => one.priority - other.priority);
  return ranked.map(({ exchange }) => exchange.toLowerCase().replace(/\.$/, '')).filter((host) => host !== '');
}

/** IPv4 and IPv6. */
export async function addressesOf(resolver: DnsResolver, host: string): Promise<string[]> {
  const found = await Promise.all(['A', 'AAAA'].map((type) => recordsOf(resolver, host, type)));
  return found.flat() as string[];
}

/** @throws what the resolver throws, unless that says there is no such record */
async function recordsOf(resolver: DnsResolver, name: string, type: string): Promise<readonly unknown[]> {
  try {
    return (await resolver(name, type)) as readonly unknown[];
  } catch (error) {
    if (isMissingRecord(error)) return [];
    throw error;
  }
}

/** What an address is called (RFC 1035 §3.5). */
export async function namesOfAddress(resolver: DnsResolver, address: string): Promise<string[]> {
  const names = (await recordsOf(resolver, reverseNameOf(address), 'PTR')) as string[];
  return names.map((name) => name.toLowerCase().replace(/\.$/, ''));
}

/** @param address IPv4, or IPv6 in any spelling */
function reverseNameOf(address: string): string {
  if (isIPv4(address)) return `${address.split('.').reverse().join('.')}.in-addr.arpa`;
  const [head = '', tail = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const [front, back] = [head, tail].map((part) => (part === '' ? [] : part.split(':')));
  const zeros = Array.from({ length: 8 - front!.length - back!.length }, () => '0');
  const digits = [...front!, ...zeros, ...back!].map((group) => group.padStart(4, '0')).join('');
  return `${[...digits].reverse().join('.')}.ip6.arpa`;
}

/** Stands in for the world's DNS: names with their records by type, as `DnsResolver` answers them. */
export type DnsZone = Readonly<Record<string, Readonly<Record<string, readonly unknown[]>>>>;

/** Answers out of a zone; what is not in it does not exist. */
export function zoneDns(zone: DnsZone): DnsResolver {
  return async (name, rrtype) => {
    const records = zone[name.toLowerCase()]?.[rrtype];
    if (records) return records;
    throw Object.assign(new Error(`no ${rrtype} record for ${name}`), { code: 'ENOTFOUND' });
  };
}
