import { createPublicKey } from 'node:crypto';
import { isIP } from 'node:net';
import type { EmailConfig } from './config.js';
import { loadDkimKey } from './dkim.js';

/** One record as it stands in a zone file, and what it is for. */
export interface DnsRecord {
  /** Without the dot at its end. */
  readonly name: string;
  readonly type: 'MX' | 'TXT' | 'A' | 'PTR';
  readonly value: string;
  /** Why it is needed, for people. */
  readonly purpose: string;
}

/** How other mail servers know us. */
export const hostnameOf = ({ hostname, domains }: EmailConfig): string => hostname ?? domains[0]!;

/** The line for a zone file. Texts are cut into strings of 255 bytes, as DNS has them (RFC 1035 §3.3.14). */
export function zoneLine({ name, type, value }: DnsRecord): string {
  return `${name}. IN ${type} ${type === 'TXT' ? quoted(value) : value}`;
}

function quoted(text: string): string {
  return (text.match(/.{1,255}/gs) ?? ['']).map((part) => `"${part}"`).join(' ');
}

/** Everything to publish for one of our mail domains. */
export function recordsOf(config: EmailConfig, domain: string): DnsRecord[] {
  const dkim = dkimRecordOf(config, domain);
  return [
    mxRecord(config, domain),
    { name: domain, type: 'TXT', value: spfValue(config), purpose: 'who may send as this domain (SPF)' },
    ...(dkim ? [dkim] : []),
    dmarcRecord(domain),
    ...(config.tls ? [mtaStsRecord(domain)] : []),
  ];
}

export function mxRecord(config: EmailConfig, domain: string): DnsRecord {
  return { name: domain, type: 'MX', value: `10 ${hostnameOf(config)}.`, purpose: 'mail for this domain comes here' };
}

/** With a smart host, its operator says what to include. */
function spfValue({ outgoing }: EmailConfig): string {
  if (!outgoing.smartHost) return 'v=spf1 mx -all';
  const { host } = outgoing.smartHost;
  return `v=spf1 mx ${isIP(host) === 0 ? `a:${host}` : `ip${isIP(host)}:${host}`} -all`;
}

/** Null without a key, or where all domains sign as another one. @throws ConfigError */
export function dkimRecordOf(config: EmailConfig, domain: string): DnsRecord | null {
  const key = loadDkimKey(config.dkim);
  if (!key || (key.domain !== null && key.domain !== domain)) return null;
  const name = `${key.selector}._domainkey.${domain}`;
  return {
    name,
    type: 'TXT',
    value: dkimValue(key.privateKey),
    purpose: 'the key that our signatures verify with (DKIM)',
  };
}

/** Value of the TXT record for a DKIM key (RFC 6376 §3.6.1, RFC 8463 §4). @param pem private key, RSA or Ed25519 */
export function dkimValue(pem: string): string {
  const key = createPublicKey(pem);
  if (key.asymmetricKeyType === 'ed25519') {
    return `v=DKIM1; k=ed25519; p=${Buffer.from(key.export({ format: 'jwk' }).x!, 'base64url').toString('base64')}`;
  }
  return `v=DKIM1; k=rsa; p=${key.export({ type: 'spki', format: 'der' }).toString('base64')}`;
}

export function dmarcRecord(domain: string): DnsRecord {
  return {
    name: `_dmarc.${domain}`,
    type: 'TXT',
    value: 'v=DMARC1; p=reject',
    purpose: 'what others do with forgeries (DMARC)',
  };
}

export function mtaStsRecord(domain: string): DnsRecord {
  return {
    name: `_mta-sts.${domain}`,
    type: 'TXT',
    value: 'v=STSv1; id=1',
    purpose: 'others insist on TLS towards us (MTA-STS); change the id with the policy',
  };
}

/** The file at `https://mta-sts.<domain>/.well-known/mta-sts.txt` (RFC 8461 §3.2). */
export function mtaStsPolicy(config: EmailConfig): string {
  return `version: STSv1\nmode: enforce\nmx: ${hostnameOf(config)}\nmax_age: 604800\n`;
}
