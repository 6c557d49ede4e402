import type { Check } from '../../../ops/doctor/check.js';
import { failure, fine, warning, type Finding } from '../../../ops/doctor/finding.js';
import type { EmailConfig } from '../config.js';
import {
  dkimRecordOf,
  dmarcRecord,
  hostnameOf,
  mtaStsPolicy,
  mtaStsRecord,
  mxRecord,
  recordsOf,
  zoneLine,
} from '../dns-records.js';
import { addressesOf, mailHostsOf, textsOf, type DnsResolver } from '../dns.js';

interface Parts {
  readonly config: EmailConfig;
  readonly resolver: DnsResolver;
  /** Gets a text over https, null if it is not there. */
  readonly fetchText: (url: string) => Promise<string | null>;
}

const publish = (record: Parameters<typeof zoneLine>[0]): string => `Publish in DNS: ${zoneLine(record)}`;
const tagOf = (record: string, tag: string): string | undefined =>
  new RegExp(`(?:^|;)\\s*${tag}\\s*=\\s*([^;]*)`, 'i').exec(record)?.[1]?.trim();

/** What DNS says about our mail domains (RFC 5321 §5, 7208, 6376, 7489, 8461). @throws ConfigError for the DKIM key */
export function domainChecks({ config, ...world }: Parts): Check[] {
  return config.domains.map((domain) => ({
    subject: `mail domain ${domain}`,
    run: async () => {
      const parts = { config, ...world };
      const found = await Promise.all([mx, spf, dkim, dmarc, mtaSts].map((check) => check(parts, domain)));
      return found.flat();
    },
  }));
}

async function mx({ config, resolver }: Parts, domain: string): Promise<Finding[]> {
  const hosts = await mailHostsOf(resolver, domain);
  if (hosts.length === 0) {
    return [
      failure('MX_MISSING', `No mail for ${domain} comes here: it has no MX.`, publish(mxRecord(config, domain))),
    ];
  }
  const ours = hostnameOf(config);
  const findings = await Promise.all(hosts.map((host) => hostFinding(resolver, host)));
  if (hosts.includes(ours)) return [fine('MX', `Mail for ${domain} comes to ${hosts.join(', ')}.`), ...findings.flat()];
  const message = `Mail for ${domain} goes to ${hosts.join(', ')}, not to ${ours}.`;
  const fix = `${publish(mxRecord(config, domain))}, or set email.hostname to that server if it is this one.`;
  return [warning('MX_ELSEWHERE', message, fix), ...findings.flat()];
}

async function hostFinding(resolver: DnsResolver, host: string): Promise<Finding[]> {
  if ((await addressesOf(resolver, host)).length > 0) return [];
  return [
    failure(
      'MX_WITHOUT_ADDRESS',
      `The mail server ${host} has no address.`,
      `Publish in DNS: ${host}. IN A <its address>`,
    ),
  ];
}

async function spf({ config, resolver }: Parts, domain: string): Promise<Finding[]> {
  const records = (await textsOf(resolver, domain)).filter((text) => /^v=spf1( |$)/i.test(text));
  const wanted = recordsOf(config, domain)[1]!;
  if (records.length > 1) {
    const message = `${domain} has ${records.length} SPF records: others take that for none.`;
    return [failure('SPF_TWICE', message, 'Take all but one away.')];
  }
  const [record] = records;
  if (record === undefined) {
    return [
      failure('SPF_MISSING', `Nothing says who may send as ${domain}: our mail counts as spam.`, publish(wanted)),
    ];
  }
  if (/[ +]\+?all\b/.test(record.replaceAll(/ [-~?]all\b/g, ''))) {
    return [warning('SPF_OPEN', `The SPF record of ${domain} lets everybody send as it.`, publish(wanted))];
  }
  return [fine('SPF', `${domain} says who may send as it (${record}).`)];
}

async function dkim({ config, resolver }: Parts, domain: string): Promise<Finding[]> {
  const record = dkimRecordOf(config, domain);
  if (!record) return config.dkim ? [] : [noDkim(domain)];
  const published = (await textsOf(resolver, record.name)).find((text) => tagOf(text, 'p') !== undefined);
  if (published === undefined) {
    const message = `The key of our signatures is not published at ${record.name}: receivers cannot check them.`;
    return [failure('DKIM_MISSING', message, publish(record))];
  }
  if (tagOf(published, 'p')!.replaceAll(/\s/g, '') === tagOf(record.value, 'p')) {
    return [fine('DKIM', `Receivers can check our signatures (${record.name}).`)];
  }
  const message = `${record.name} shows another key than the one we sign with: our signatures fail.`;
  return [failure('DKIM_DIFFERS', message, publish(record))];
}

const noDkim = (domain: string): Finding =>
  warning('DKIM_OFF', `Mail from ${domain} is not signed.`, 'Set email.dkim; "dm3-gateway init" has made a key.');

async function dmarc({ resolver }: Parts, domain: string): Promise<Finding[]> {
  const record = (await textsOf(resolver, `_dmarc.${domain}`)).find((text) => /^v=DMARC1\b/i.test(text));
  if (record === undefined) {
    const message = `${domain} does not say what to do with forgeries, and some receivers refuse its mail for that.`;
    return [warning('DMARC_MISSING', message, publish(dmarcRecord(domain)))];
  }
  const policy = tagOf(record, 'p')?.toLowerCase();
  if (policy === 'reject' || policy === 'quarantine')
    return [fine('DMARC', `${domain} asks others to ${policy} forgeries.`)];
  return [warning('DMARC_WEAK', `${domain} lets forgeries through (${record}).`, publish(dmarcRecord(domain)))];
}

/** Only for who offers TLS. */
async function mtaSts({ config, resolver, fetchText }: Parts, domain: string): Promise<Finding[]> {
  if (!config.tls) return [];
  const record = (await textsOf(resolver, `_mta-sts.${domain}`)).find((text) => /^v=STSv1\b/i.test(text));
  if (record === undefined) {
    const message = `Nothing makes other mail servers insist on TLS towards ${domain}.`;
    return [
      warning(
        'MTA_STS_MISSING',
        message,
        `${publish(mtaStsRecord(domain))}; and serve its policy ("dm3-gateway setup" prints it).`,
      ),
    ];
  }
  const url = `https://mta-sts.${domain}/.well-known/mta-sts.txt`;
  const policy = await fetchText(url);
  if (policy === null) {
    return [
      failure(
        'MTA_STS_POLICY',
        `DNS promises a policy that is not at ${url}.`,
        `Serve there: ${JSON.stringify(mtaStsPolicy(config))}`,
      ),
    ];
  }
  const hosts = [...policy.matchAll(/^mx:\s*(\S+)\s*$/gim)].map(([, host]) => host!.toLowerCase());
  if (hosts.some((host) => covers(host, hostnameOf(config))))
    return [fine('MTA_STS', `Others insist on TLS towards ${domain}.`)];
  const message = `The policy at ${url} does not name ${hostnameOf(config)}: servers that heed it deliver nothing to us.`;
  return [failure('MTA_STS_POLICY', message, `Serve there: ${JSON.stringify(mtaStsPolicy(config))}`)];
}

/** RFC 8461 §4.1: `*.example.org` stands for one label more. */
function covers(pattern: string, host: string): boolean {
  return pattern.startsWith('*.') ? host.slice(host.indexOf('.') + 1) === pattern.slice(2) : pattern === host;
}
