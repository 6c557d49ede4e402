import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SMTPServer } from 'smtp-server';
import tlsOptions from 'smtp-server/lib/tls-options';
import { freePort, LOOPBACK } from '../../../sandbox/ports.js';
import { emailConfigSchema, type EmailConfigInput } from '../config.js';
import { zoneDns, type DnsZone } from '../dns.js';
import { serverChecks } from './server-checks.js';

const HOST = 'gateway.example.org';
const ZONE: DnsZone = { [HOST]: { A: [LOOPBACK] }, '1.0.0.127.in-addr.arpa': { PTR: [`${HOST}.`] } };

let plain: SMTPServer;
let encrypted: SMTPServer;
const portOf = ({ server }: SMTPServer) => (server.address() as { port: number }).port;

async function listen(server: SMTPServer): Promise<SMTPServer> {
  server.on('error', () => {}); // the doctor hangs up early
  server.listen(0, LOOPBACK);
  await once(server.server, 'listening');
  return server;
}

beforeAll(async () => {
  plain = await listen(new SMTPServer({ authOptional: true, disabledCommands: ['STARTTLS'] }));
  encrypted = await listen(new SMTPServer({ authOptional: true, ...tlsOptions({}) })); // that nobody trusts
});
afterAll(async () => {
  for (const server of [plain, encrypted]) await new Promise<void>((resolve) => server.close(resolve));
});

async function findings(changes: Partial<EmailConfigInput>, { zone = ZONE, now = Date.now() } = {}) {
  const config = emailConfigSchema.parse({
    domains: ['mail.example.org'],
    hostname: HOST,
    operator: 'ops.eth',
    ...changes,
  });
  const checks = serverChecks({ config, resolver: zoneDns(zone), clock: { now: () => now } });
  return (await Promise.all(checks.map((check) => check.run()))).flat().map(({ level, code }) => `${level} ${code}`);
}
const at = (server: SMTPServer): Partial<EmailConfigInput> => ({ outgoing: { port: portOf(server) } });

describe('the mail server', () => {
  it('is in order where it answers, is called by its name, and somebody reads complaints', async () => {
    expect(await findings(at(plain))).toEqual(['ok SMTP', 'ok REVERSE_NAME', 'ok POSTMASTER']);
  });

  it('has a certificate that nobody believes, or that has expired', async () => {
    expect(await findings(at(encrypted), { now: Date.parse('2015-01-01') })).toContain('warning SMTP_CERTIFICATE');
    expect(await findings(at(encrypted), { now: Date.parse('2090-01-01') })).toContain('error SMTP_CERTIFICATE');
  });

  it('does not answer', async () => {
    expect(await findings({ outgoing: { port: await freePort() } })).toContain('error SMTP_UNREACHABLE');
  });

  it('is not in DNS', async () => {
    expect(await findings(at(plain), { zone: {} })).toContain('error SMTP_NO_ADDRESS');
  });

  it('is called otherwise by its address', async () => {
    const zone = { ...ZONE, '1.0.0.127.in-addr.arpa': { PTR: ['dialup-17.example.net'] } };
    expect(await findings(at(plain), { zone })).toContain('warning REVERSE_NAME');
  });

  it('has nobody who reads complaints', async () => {
    expect(await findings({ ...at(plain), operator: undefined })).toContain('warning POSTMASTER');
  });

  it('gets mail out by its smart host, or not', async () => {
    const via = (port: number) => findings({ outgoing: { port: portOf(plain), smartHost: { host: LOOPBACK, port } } });
    expect(await via(portOf(plain))).toContain('ok SMART_HOST');
    expect(await via(await freePort())).toContain('error SMART_HOST');
  });
});
