import { describe, expect, it } from '@jest/globals';
import { dkimKey } from '../../../config/secret-files.js';
import { emailConfigSchema, type EmailConfigInput } from '../config.js';
import { dkimValue, mtaStsPolicy, recordsOf, zoneLine } from '../dns-records.js';
import { zoneDns } from '../dns.js';
import { domainChecks } from './domain-checks.js';

const DOMAIN = 'mail.example.org';
const HOST = 'gateway.example.org';
const DKIM = dkimKey();
const TLS = { key: '/key.pem', cert: '/cert.pem' };

const configOf = (changes: Partial<EmailConfigInput> = {}) =>
  emailConfigSchema.parse({
    domains: [DOMAIN],
    hostname: HOST,
    dkim: { selector: 'k', privateKey: DKIM },
    ...changes,
  });

type Zone = Record<string, Record<string, unknown[]>>;

/** Everything as `setup` says it. */
const goodZone = (): Zone => ({
  [DOMAIN]: { MX: [{ exchange: HOST, priority: 10 }], TXT: [['v=spf1 mx -all'], ['google-site-verification=1']] },
  [HOST]: { A: ['203.0.113.7'] },
  [`k._domainkey.${DOMAIN}`]: { TXT: [dkimValue(DKIM).match(/.{1,255}/g)!] },
  [`_dmarc.${DOMAIN}`]: { TXT: [['v=DMARC1; p=quarantine']] },
  [`_mta-sts.${DOMAIN}`]: { TXT: [['v=STSv1; id=7']] },
});

async function findings(options: {
  change?: (zone: Zone) => void;
  config?: Partial<EmailConfigInput>;
  policy?: string | null;
}) {
  const zone = goodZone();
  options.change?.(zone);
  const config = configOf(options.config);
  const policy = options.policy === undefined ? mtaStsPolicy(config) : options.policy;
  const checks = domainChecks({ config, resolver: zoneDns(zone), fetchText: async () => policy });
  return (await Promise.all(checks.map((check) => check.run()))).flat();
}
const troubles = async (options: Parameters<typeof findings>[0]) =>
  (await findings(options)).filter(({ level }) => level !== 'ok').map(({ level, code }) => `${level} ${code}`);

describe('the DNS of a mail domain', () => {
  it('is in order when everything is published', async () => {
    expect(await troubles({})).toEqual([]);
    expect(await troubles({ config: { tls: TLS } })).toEqual([]);
    expect((await findings({ config: { tls: TLS } })).map(({ code }) => code)).toEqual([
      'MX',
      'SPF',
      'DKIM',
      'DMARC',
      'MTA_STS',
    ]);
  });

  it.each<[string, (zone: Zone) => void]>([
    ['error MX_MISSING', (zone) => delete zone[DOMAIN]!['MX']],
    [
      'warning MX_ELSEWHERE',
      (zone) => {
        zone[DOMAIN]!['MX'] = [{ exchange: 'relay.example.com', priority: 1 }];
        zone['relay.example.com'] = { A: ['203.0.113.9'] };
      },
    ],
    ['error MX_WITHOUT_ADDRESS', (zone) => delete zone[HOST]],
    ['error SPF_MISSING', (zone) => (zone[DOMAIN]!['TXT'] = [['something else']])],
    ['error SPF_TWICE', (zone) => (zone[DOMAIN]!['TXT'] = [['v=spf1 mx -all'], ['v=spf1 -all']])],
    ['warning SPF_OPEN', (zone) => (zone[DOMAIN]!['TXT'] = [['v=spf1 mx +all']])],
    ['warning SPF_OPEN', (zone) => (zone[DOMAIN]!['TXT'] = [['v=spf1 all']])],
    ['error DKIM_MISSING', (zone) => delete zone[`k._domainkey.${DOMAIN}`]],
    ['error DKIM_DIFFERS', (zone) => (zone[`k._domainkey.${DOMAIN}`] = { TXT: [[dkimValue(dkimKey())]] })],
    ['warning DMARC_MISSING', (zone) => delete zone[`_dmarc.${DOMAIN}`]],
    ['warning DMARC_WEAK', (zone) => (zone[`_dmarc.${DOMAIN}`] = { TXT: [['v=DMARC1; p=none; rua=mailto:x@y.z']] })],
  ])('%s', async (trouble, change) => {
    expect(await troubles({ change })).toEqual([trouble]);
  });

  it.each<[string, Parameters<typeof findings>[0]]>([
    ['warning DKIM_OFF', { config: { dkim: undefined } }],
    ['warning MTA_STS_MISSING', { config: { tls: TLS }, change: (zone) => delete zone[`_mta-sts.${DOMAIN}`] }],
    ['error MTA_STS_POLICY', { config: { tls: TLS }, policy: null }],
    [
      'error MTA_STS_POLICY',
      { config: { tls: TLS }, policy: 'version: STSv1\nmode: enforce\nmx: other.example.org\n' },
    ],
  ])('%s', async (trouble, options) => {
    expect(await troubles(options)).toEqual([trouble]);
  });

  it('takes a policy for all hosts of a domain', async () => {
    expect(await troubles({ config: { tls: TLS }, policy: 'version: STSv1\r\nmx: *.example.org\r\n' })).toEqual([]);
  });

  it('is mended by publishing what the findings say', async () => {
    const nothing = await findings({ change: (zone) => Object.keys(zone).forEach((name) => delete zone[name]) });
    for (const record of recordsOf(configOf(), DOMAIN)) {
      expect(nothing.map(({ fix }) => fix)).toContainEqual(expect.stringContaining(zoneLine(record)));
    }
  });
});
