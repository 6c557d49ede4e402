import { BlockList, isIPv6 } from 'node:net';
import { z } from 'zod';
import { DeliveryFailedError } from '../../gateway/adapter/errors.js';
import { isMissingRecord, type DnsResolver } from './dns.js';

/** More than a sane domain has; the rest would only be tried after these. */
const MAX_HOSTS = 5;

/** A mail server and one of its addresses. */
export interface MailHost {
  readonly name: string;
  readonly address: string;
}

const mxRecords = z.array(z.object({ exchange: z.string(), priority: z.number() }));
const addressRecords = z.array(z.string());

/**
 * Where mail for a domain goes, in the order to try (RFC 5321 §5.1): its MX, or without any the domain itself.
 * @throws DeliveryFailedError DOMAIN_TAKES_NO_MAIL (RFC 7505), DOMAIN_NOT_FOUND, MAIL_HOST_PRIVATE: permanent;
 *   DNS_UNAVAILABLE: transient
 */
export async function findMailHosts(domain: string, resolver: DnsResolver, allowPrivate: boolean): Promise<MailHost[]> {
  const names = await mailExchangers(domain, resolver);
  const found = await Promise.all(names.map((name) => addressesOf(name, domain, resolver)));
  const hosts = found.flat();
  if (hosts.length === 0) {
    const reason = `The domain ${domain} has no mail server; check the address.`;
    throw new DeliveryFailedError({ code: 'DOMAIN_NOT_FOUND', reason, retryable: false });
  }
  const reachable = hosts.filter(({ address }) => allowPrivate || !isPrivate(address));
  if (reachable.length === 0) {
    const reason = `The mail server of ${domain} has a private address, where we do not deliver.`;
    throw new DeliveryFailedError({ code: 'MAIL_HOST_PRIVATE', reason, retryable: false });
  }
  return reachable;
}

async function mailExchangers(domain: string, resolver: DnsResolver): Promise<string[]> {
  const records = mxRecords.parse(await ask(domain, 'MX', domain, resolver));
  if (records.length === 0) return [domain];
  if (records.every(({ exchange }) => exchange === '' || exchange === '.')) {
    const reason = `The domain ${domain} takes no mail at all.`;
    throw new DeliveryFailedError({ code: 'DOMAIN_TAKES_NO_MAIL', reason, retryable: false });
  }
  // Equal preferences share the load: their order is random.
  const shuffled = records.map((record) => ({ ...record, draw: Math.random() }));
  const ordered = shuffled.sort((a, b) => a.priority - b.priority || a.draw - b.draw);
  return ordered.slice(0, MAX_HOSTS).map(({ exchange }) => exchange.replace(/\.$/, ''));
}

async function addressesOf(name: string, domain: string, resolver: DnsResolver): Promise<MailHost[]> {
  const answers = await Promise.all(['A', 'AAAA'].map((type) => ask(name, type, domain, resolver)));
  return answers.flatMap((answer) => addressRecords.parse(answer)).map((address) => ({ name, address }));
}

/** An empty list if there is no such record. */
async function ask(name: string, type: string, domain: string, resolver: DnsResolver): Promise<unknown> {
  try {
    return await resolver(name, type);
  } catch (cause) {
    if (isMissingRecord(cause)) return [];
    const reason = `The mail server of ${domain} could not be looked up; we try again later.`;
    throw new DeliveryFailedError({ code: 'DNS_UNAVAILABLE', reason, retryable: true, outage: true, cause });
  }
}

/** RFC 6890 and its kin: what an outsider's DNS record must not make us talk to. */
const PRIVATE = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv4');
}
for (const [network, prefix] of [
  ['::', 96],
  ['64:ff9b::', 96],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv6');
}

/** BlockList sees through IPv4-mapped IPv6 addresses by itself. */
function isPrivate(address: string): boolean {
  return PRIVATE.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
