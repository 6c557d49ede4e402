import { Resolver } from 'node:dns/promises';

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
