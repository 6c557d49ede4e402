import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hostnameOf, recordsOf } from '../src/adapters/email/dns-records.js';
import { emailConfigSchema, type EmailConfigInput } from '../src/adapters/email/config.js';
import { zoneDns, type DnsZone } from '../src/adapters/email/dns.js';
import { allChecks } from '../src/cli/doctor/all-checks.js';
import { coreSchema, type SettingsInput } from '../src/config/settings.js';
import type { Secrets } from '../src/config/secrets.js';
import { setAlias } from '../src/naming/contracts/deploy.js';
import { examine } from '../src/ops/doctor/check.js';
import type { Finding } from '../src/ops/doctor/finding.js';
import { freePort, LOOPBACK } from '../src/sandbox/ports.js';
import { sendMail } from './support/mail.js';
import { runOperator } from './support/program.js';
import { DOMAIN, TestGateway } from './support/test-gateway.js';

interface World {
  settings: SettingsInput;
  email: EmailConfigInput;
  zone: Record<string, Record<string, unknown[]>>;
  secrets: Secrets;
}

const home = fs.mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-doctor-'));
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.create();
  await sendMail(gateway, { to: `bob.eth@${DOMAIN}`, text: 'something sealed' });
});
afterAll(async () => {
  await gateway.stop();
  fs.rmSync(home, { recursive: true });
});

/** The gateway's own configuration, and DNS as `setup` prints it. */
function healthy(): World {
  const { secrets, networks } = gateway.running.runtime;
  const config = networks.email!.config;
  const email = { ...config, operator: 'alice.eth', outgoing: { ...config.outgoing, port: gateway.smtpPort } };
  const host = hostnameOf(config);
  const zone: World['zone'] = { [host]: { A: [LOOPBACK] } };
  for (const { name, type, value } of recordsOf(config, DOMAIN)) {
    const record = type === 'MX' ? { exchange: host, priority: 10 } : [value];
    ((zone[name] ??= {})[type] ??= []).push(record);
  }
  return { settings: structuredClone(gateway.settings), email: structuredClone(email), zone, secrets };
}

async function examined({ settings, email, zone, secrets }: World): Promise<Finding[]> {
  const resolver = zoneDns(zone as DnsZone);
  const config = emailConfigSchema.parse(email);
  const { checks, close } = await allChecks({ settings: coreSchema.parse(settings), secrets, email: config, resolver });
  const findings: Finding[] = [];
  for await (const each of examine(checks)) findings.push(...each.findings);
  close();
  return findings;
}

/** The program, by a configuration file. */
function operate({ settings, email, secrets: { rootSecret, storageKeys } }: World, ...args: string[]) {
  const config = path.join(home, 'gateway.yaml');
  fs.writeFileSync(config, JSON.stringify({ ...settings, email }));
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
  const env = {
    DM3_GATEWAY_ROOT_SECRET: hex(rootSecret),
    DM3_GATEWAY_STORAGE_KEYS: storageKeys.map(({ id, key }) => `${id}:${hex(key)}`).join(','),
  };
  return runOperator([...args, '--config', config], { env });
}

async function troublesAfter(change: (world: World) => unknown): Promise<string[]> {
  const world = healthy();
  await change(world);
  return (await examined(world)).filter(({ level }) => level !== 'ok').map(({ level, code }) => `${level} ${code}`);
}

describe('the doctor', () => {
  it('finds nothing to mend where all is well, and says what it looked at', async () => {
    const findings = await examined(healthy());
    expect(findings.filter(({ level }) => level !== 'ok')).toEqual([]);
    expect(new Set(findings.map(({ code }) => code))).toEqual(
      new Set([
        'DATABASE',
        'DATABASE_CONNECTIONS',
        'STORAGE_KEYS',
        'RPC',
        'ROOT_NAME',
        'CCIP_SIGNER',
        'CCIP_URL',
        'ALIAS',
        'URL',
        'SERVICE_RECORD',
        'MX',
        'SPF',
        'DKIM',
        'DMARC',
        'SMTP',
        'SMART_HOST',
        'POSTMASTER',
      ]),
    );
  });

  it.each<[string, (world: World) => unknown]>([
    ['error STORAGE_UNAVAILABLE', async ({ settings }) => (settings.database!.port = await freePort())],
    [
      'error STORAGE_KEY_MISSING',
      (world) => (world.secrets = { ...world.secrets, storageKeys: [{ id: 9, key: new Uint8Array(32) }] }),
    ],
    ['warning DATABASE_CONNECTIONS', ({ settings }) => (settings.database!.poolSize = 97)],
    [
      'error RPC_UNUSABLE',
      async ({ settings }) =>
        (settings.ens.rpcUrls = [...settings.ens.rpcUrls, `http://${LOOPBACK}:${await freePort()}`]),
    ],
    ['error NO_REGISTRY', ({ settings }) => (settings.ens.registry = `0x${'1'.repeat(40)}`)],
    ['error ROOT_RESOLVER', ({ settings }) => (settings.names.root = 'alice.eth')],
    ['error CCIP_SIGNER', ({ settings }) => (settings.ccipRead.signerVersion = 7)],
    ['error NO_CCIP_RESOLVER', ({ settings }) => (settings.ccipRead.resolvers = [gateway.world.plainResolver])],
    ['error CCIP_URL', ({ settings }) => (settings.http.publicUrl = 'http://127.0.0.1:1')],
    ['error URL_UNREACHABLE', ({ settings }) => (settings.http.publicUrl = 'http://127.0.0.1:1')],
    ['error SERVICE_RECORD', ({ settings }) => (settings.http.publicUrl = 'http://127.0.0.1:1')],
    ['error MX_MISSING', ({ zone }) => delete zone[DOMAIN]!['MX']],
    ['error SPF_MISSING', ({ zone }) => delete zone[DOMAIN]!['TXT']],
    ['error DKIM_MISSING', ({ zone }) => delete zone[`test._domainkey.${DOMAIN}`]],
    ['warning DMARC_MISSING', ({ zone }) => delete zone[`_dmarc.${DOMAIN}`]],
    ['error SMTP_NO_ADDRESS', ({ zone, email }) => delete zone[email.hostname ?? DOMAIN]!['A']],
    ['error SMTP_UNREACHABLE', async ({ email }) => (email.outgoing!.port = await freePort())],
    ['error SMART_HOST', async ({ email }) => (email.outgoing!.smartHost!.port = await freePort())],
    ['warning POSTMASTER', ({ email }) => delete email.operator],
  ])('sees it: %s', async (trouble, change) => {
    expect(await troublesAfter(change)).toContain(trouble);
  });

  it('takes a new database for what it is', async () => {
    const world = healthy();
    world.settings.database!.schema = 'nothing_is_here';
    expect((await examined(world)).map(({ code }) => code)).toContain('DATABASE_TO_MIGRATE');
  });

  it('refuses a database that a newer version has changed, and so does a start', async () => {
    const world = healthy();
    await gateway.db.query("INSERT INTO migrations (timestamp, name) VALUES (1, 'FromTheFuture')");
    expect((await examined(world)).map(({ level, code }) => `${level} ${code}`)).toContain('error DATABASE_NEWER');
    const { code, stderr } = await operate(world, 'start');
    expect([code, stderr]).toEqual([1, expect.stringMatching(/does not know FromTheFuture\): run the newer version/)]);
    await gateway.db.query("DELETE FROM migrations WHERE name = 'FromTheFuture'");
  });

  it('sees that the registry of aliases says otherwise', async () => {
    const { aliasRegistry } = gateway.world;
    await setAlias(gateway.deployer, { aliasRegistry, toplevel: 'gno', alias: 'other-gnosis.eth' });
    expect(await troublesAfter(() => {})).toEqual(['warning ALIAS_DIFFERS']);
  });

  it('answers scripts by its exit code, people in words, and programs in JSON', async () => {
    const world = healthy();
    const run = async (...args: string[]) => {
      const zone = path.join(home, 'zone.json');
      fs.writeFileSync(zone, JSON.stringify(world.zone));
      return operate(world, 'doctor', '--dns-zone', zone, ...args);
    };
    // The alias that differs is a warning: only strict scripts mind.
    expect(await run()).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringMatching(/\n\d+ ok, 1 warning\.\n$/),
    });
    expect((await run('--strict')).code).toBe(1);
    delete world.zone[DOMAIN]!['MX'];
    const sick = await run();
    expect(sick.code).toBe(1);
    expect(sick.stdout).toMatch(
      / {2}ERROR {4}No mail for .* comes here: it has no MX\.\n +Publish in DNS: .* IN MX 10 .*\n/,
    );
    const { code, stdout } = await run('--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      warnings: 1,
      errors: 1,
      subjects: expect.arrayContaining([
        {
          subject: `mail domain ${DOMAIN}`,
          findings: expect.arrayContaining([expect.objectContaining({ code: 'MX_MISSING' })]),
        },
      ]),
    });
  });
});

describe('setup', () => {
  /** What it prints for programs. */
  async function setupOf(world: World): Promise<{ transactions: { to: string | null; data: string }[] }> {
    const { code, stdout, stderr } = await operate(world, 'setup', '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return JSON.parse(stdout);
  }
  const send = async ({ to, data }: { to: string | null; data: string }) =>
    (await gateway.deployer.signer.sendTransaction({ to, data })).wait();

  it('prints transactions that, sent as they are, the doctor is content with', async () => {
    const world = healthy();
    world.settings.ccipRead.resolvers = [`0x${'0'.repeat(40)}`];
    const [deployment] = (await setupOf(world)).transactions;
    expect(deployment!.to).toBeNull();
    const { contractAddress } = (await send(deployment!))!;
    world.settings.ccipRead.resolvers = [contractAddress!];
    const codes = async () => (await examined(world)).map(({ level, code }) => `${level} ${code}`);
    expect(await codes()).toContain('error ROOT_RESOLVER');

    const [resolver, alias] = (await setupOf(world)).transactions;
    await send(resolver!);
    await send(alias!);
    expect(await codes()).toEqual(expect.arrayContaining(['ok ROOT_NAME', 'ok CCIP_SIGNER', 'ok CCIP_URL']));
  });

  it('prints DNS as a zone file has it, and what a delivery service elsewhere has to publish', async () => {
    const world = healthy();
    world.settings.deliveryService.name = 'ds.elsewhere.eth';
    const { code, stdout } = await operate(world, 'setup');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^gateway\.test\. IN MX 10 \S+\.$/m);
    expect(stdout).toMatch(/^_dmarc\.gateway\.test\. IN TXT "v=DMARC1; p=reject"$/m);
    expect(stdout).toContain('Publish keys and URL of ds.elsewhere.eth');
  });
});
