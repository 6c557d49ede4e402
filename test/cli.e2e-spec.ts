import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { deployOffchainResolver, deployRegistry } from '../src/naming/contracts/deploy.js';
import { freePort } from '../src/sandbox/ports.js';
import { Database } from '../src/storage/database.js';
import { createTestSchema, type TestSchema } from './support/database.js';
import { eventually } from './support/eventually.js';
import { ask } from './support/http-answer.js';
import { runOperator, startOperator } from './support/program.js';
import { fundedDeployer } from './support/test-gateway.js';

const IDENTITY = ['--root', 'dao.eth', '--mail-domain', 'mail.dao.example', '--url', 'https://gateway.dao.example/'];
/** Its alias name would be longer than DNS allows. */
const LONG_ADDRESS = `${'a'.repeat(50)}@${'b'.repeat(62)}.${'c'.repeat(62)}.${'d'.repeat(62)}.example`;

const home = fs.mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-cli-'));
const at = (name: string) => path.join(home, name);
afterAll(() => fs.rmSync(home, { recursive: true }));

/** Somewhere without a configuration. */
const run = (args: readonly string[], env?: Record<string, string>) => runOperator(args, { cwd: home, env });

describe('help', () => {
  it('shows every command and what each takes', async () => {
    const { code, stdout } = await run(['--help']);
    expect(code).toBe(0);
    const commands = [...stdout.matchAll(/^ {2}(\w+) \[options\]/gm)].map(([, name]) => name!);
    expect(commands).toEqual(expect.arrayContaining(['sandbox', 'start', 'init', 'name', 'keys', 'inbox', 'send']));
    for (const help of await Promise.all(commands.map((command) => run([command, '--help'])))) {
      expect(help).toMatchObject({
        code: 0,
        stderr: '',
        stdout: expect.stringMatching(/^Usage: dm3-gateway \w+ .*\n\n[A-Z]/),
      });
    }
  });

  it.each([
    [['frobnicate'], "error: unknown command 'frobnicate'"],
    [['name'], "error: missing required argument 'address-or-name'"],
    [['init', '--root', 'dao.eth'], "error: required option '--mail-domain <domain>' not specified"],
    [
      ['sandbox', '--port-base', 'x'],
      "error: option '--port-base <n>' argument 'x' is invalid. expected a whole number.",
    ],
  ])('is pointed to by a refusal of %j', async (args, complaint) => {
    const stderr = `${complaint}\n(--help shows what there is)\n`;
    expect(await run(args)).toEqual({ code: 1, stdout: '', stderr: expect.stringContaining(stderr) });
  });
});

describe('name', () => {
  it.each([
    [['carol@example.org'], 'carol._at.example.org.email.gateway.eth\ncarol._at.example.org.email'],
    [['mailto:Carol.X@Example.ORG'], 'carol.x._at.example.org.email.gateway.eth\ncarol.x._at.example.org.email'],
    [['carol@example.org', '--root', 'dao.eth'], 'carol._at.example.org.email.dao.eth\ncarol._at.example.org.email'],
    [['carol._at.example.org.email.gateway.eth'], 'carol@example.org'],
    [['carol._at.example.org.email'], 'carol@example.org'],
    [['a.b._p.t._u.1._at.x.org.email'], 'a.b+t_1@x.org'],
  ])('translates %j', async (args, answer) => {
    expect(await run(['name', ...args])).toEqual({ code: 0, stdout: `${answer}\n`, stderr: '' });
  });

  it.each([
    ['bob.eth', /^bob\.eth is an ordinary ENS name: it stands for nobody on another network\.\n$/],
    ['carol@', /^"carol@" is not an address this gateway can reach: .+\.\n$/],
    ['a..b.eth', /^"a\.\.b\.eth" is not an ENS name: .+ empty label\)\.\n$/],
  ])('says why it cannot translate %s', async (text, reason) => {
    expect(await run(['name', text])).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(reason) });
  });

  it('shortens what is too long for a name, and cannot read it back', async () => {
    const { code, stdout } = await run(['name', LONG_ADDRESS]);
    expect(code).toBe(0);
    const back = await run(['name', stdout.split('\n')[0]!]);
    expect(back).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('only the gateway that made it'),
    });
  });
});

describe('without a sandbox', () => {
  it.each([
    ['inbox', ['bob.eth']],
    ['send', ['bob.eth', 'carol@example.org', 'hello']],
  ])('%s says so in a line', async (command, args) => {
    const sentence = `There is no running sandbox with its data in none. Start one with "npm start", or name its directory with --data.\n`;
    expect(await run([command, ...args, '--data', 'none'])).toEqual({ code: 1, stdout: '', stderr: sentence });
    expect(fs.existsSync(at('none'))).toBe(false);
  });
});

describe('init', () => {
  it('writes a configuration that parses and secrets for their owner alone', async () => {
    const { code, stdout, stderr } = await run(['init', '--dir', 'made', ...IDENTITY]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(parse(fs.readFileSync(at('made/gateway.yaml'), 'utf8'))).toMatchObject({
      http: { publicUrl: 'https://gateway.dao.example' },
      names: { root: 'dao.eth', topLevelAliases: { email: 'email.dao.eth' } },
      deliveryService: { name: 'ds.dao.eth' },
      email: { domains: ['mail.dao.example'] },
      secrets: { rootSecretFile: at('made/secrets/root-secret') },
    });
    expect(stdout).toContain('https://gateway.dao.example/ccip/{sender}/{data}.json');
    expect(stdout).toContain('"url":"https://gateway.dao.example/ds"');
    expect(stdout).toMatch(
      /^ {2}gateway\._domainkey\.mail\.dao\.example\. IN TXT "v=DKIM1; k=rsa; p=[\w+/=]+" "[\w+/=]+"$/m,
    );
    expect(modes('made/secrets')).toEqual([0o700, 0o600, 0o600, 0o600, 0o600]);
    for (const secret of secretsIn('made')) expect(stdout).not.toContain(secret);
  });

  it('overwrites nothing, and secrets not even with --force', async () => {
    const before = secretsIn('made');
    const again = await run(['init', '--dir', 'made', ...IDENTITY]);
    const sentence = 'made/gateway.yaml is there already; --force overwrites it, --dir writes elsewhere.\n';
    expect(again).toEqual({ code: 1, stdout: '', stderr: sentence });
    fs.writeFileSync(at('made/gateway.yaml'), 'mine');
    expect((await run(['init', '--dir', 'made', '--force', ...IDENTITY])).code).toBe(0);
    expect(fs.readFileSync(at('made/gateway.yaml'), 'utf8')).toContain('root: dao.eth');
    expect(secretsIn('made')).toEqual(before);
  });

  it.each([
    ['--url', 'gateway.dao.example'],
    ['--root', 'dao eth'],
    ['--mail-domain', 'me@dao.example'],
  ])('writes nothing for an unusable %s', async (option, value) => {
    const refused = await run(['init', '--dir', 'refused', ...IDENTITY, option, value]);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(`argument '${value}' is invalid`) });
    expect(fs.existsSync(at('refused'))).toBe(false);
  });
});

describe('keys', () => {
  const KEY = '[A-Za-z0-9+/]{43}=';
  const keys = (...args: string[]) => {
    const env = { ...COMPLETE, DM3_GATEWAY_DATABASE: JSON.stringify(schema.options) };
    return run(['keys', ...args, '--config', at('keyed/gateway.yaml')], env);
  };
  /** What init leaves to be filled in. */
  const COMPLETE = { DM3_GATEWAY_CCIP_READ__RESOLVERS: JSON.stringify([`0x${'1'.repeat(40)}`]) };
  let published: string;
  let schema: TestSchema;

  beforeAll(async () => {
    published = (await run(['init', '--dir', 'keyed', ...IDENTITY])).stdout;
    schema = await createTestSchema('keys');
    const db = new Database(schema.options);
    await db.open();
    await db.close();
  });
  afterAll(() => schema.drop());

  it('shows what init said to publish, and nothing secret', async () => {
    const { code, stdout, stderr } = await keys();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [, encryption, signing, record, signer] = new RegExp(
      `^delivery service: ds\\.dao\\.eth\nencryption key: (${KEY})\nsigning key: (${KEY})\n` +
        'network\\.dm3\\.deliveryService: (data:.*)\nCCIP-read signer: (0x[0-9a-f]{40}) \\(next: 0x[0-9a-f]{40}\\)\n' +
        'dm3 keys on other networks: version 1\nsealed values by storage key: 1: 0 \\(seals\\)\n$',
    ).exec(stdout)!;
    for (const half of [encryption, signing]) expect(record).toContain(half);
    for (const said of [record, signer]) expect(published).toContain(said);
    for (const secret of secretsIn('keyed')) expect(stdout).not.toContain(secret);
  });

  it('shows whom the gateway is for a mail address or its name, the same each time', async () => {
    const byAddress = await keys('Carol@example.org');
    expect(byAddress).toEqual({
      code: 0,
      stderr: '',
      stdout: expect.stringMatching(
        new RegExp(
          '^carol@example\\.org: carol\\._at\\.example\\.org\\.email\\.dao\\.eth\n' +
            `address: 0x[0-9a-f]{40}\ndm3 keys: version 1\nencryption key: ${KEY}\nsigning key: ${KEY}\n$`,
        ),
      ),
    });
    expect(await keys('carol._at.example.org.email')).toEqual(byAddress);
    expect((await keys('dave@example.org')).stdout).not.toContain(/^address: (.*)$/m.exec(byAddress.stdout)![1]);
    expect(await keys('bob.eth')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('ordinary ENS name'),
    });
  });
});

describe('keys without their database', () => {
  it('are shown as far as they are known', async () => {
    await run(['init', '--dir', 'lonely', ...IDENTITY]);
    const env = {
      DM3_GATEWAY_CCIP_READ__RESOLVERS: JSON.stringify([`0x${'1'.repeat(40)}`]),
      DM3_GATEWAY_DATABASE__PORT: '1',
    };
    const unknown =
      'versions and counts: unknown. The database dm3_gateway at 127.0.0.1:1 cannot be reached: ECONNREFUSED.';
    const config = ['--config', at('lonely/gateway.yaml')];
    expect((await run(['keys', ...config], env)).stdout).toContain(`\n${unknown}\n`);
    expect((await run(['keys', 'carol@example.org', ...config], env)).stdout).toMatch(/^address: 0x[0-9a-f]{40}$/m);
    const rotate = await run(['keys', 'rotate', '--yes', ...config], env);
    expect(rotate).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('cannot be reached') });
  });

  it.each([
    [[], 'nobody is here to be asked: repeat it with --yes'],
    [['carol@example.org', '--storage', '--yes'], '--storage changes the one key of all: name nobody'],
  ])('are not rotated with %j', async (args, complaint) => {
    const { code, stderr } = await run(['keys', 'rotate', ...args]);
    expect([code, stderr]).toEqual([1, expect.stringContaining(`error: ${complaint}.`)]);
  });
});

describe('start', () => {
  let schema: TestSchema;
  let env: Record<string, string>;

  beforeAll(async () => {
    schema = await createTestSchema('cli');
    await run(['init', '--dir', 'real', ...IDENTITY]);
    env = { ...(await environment(schema)), DM3_GATEWAY_CONFIG: at('real/gateway.yaml') };
  });
  afterAll(() => schema.drop());

  it('runs what init wrote, completed by the environment, until it is told to stop', async () => {
    const gateway = startOperator(['start', '--config', at('real/gateway.yaml')], { cwd: home, env });
    const url = `http://127.0.0.1:${env['DM3_GATEWAY_HTTP__PORT']}`;
    await eventually('readiness', async () => (await ask(`${url}/health/ready`).catch(() => null))?.status === 200);
    const properties = { jsonrpc: '2.0', id: 1, method: 'dm3_getDeliveryServiceProperties', params: [] };
    expect((await ask(`${url}/ds/rpc`, { body: properties })).status).toBe(200);
    const { code, stderr } = await gateway.kill('SIGTERM');
    expect(code).toBe(0);
    expect(stderr).toMatch(/"event":"gateway\.stopped"}\n$/);
    for (const secret of secretsIn('real')) expect(stderr).not.toContain(secret);
  });

  it.each([
    [{ DM3_GATEWAY_HTTP__PORT: 'eighty' }, /^ {2}http\.port: .*number.*\(saw "eighty"\).*DM3_GATEWAY_HTTP__PORT\.$/m],
    [{ DM3_GATEWAY_HTPP__PORT: '80' }, /^ {2}htpp: no such setting; take it out or mend its spelling\.$/m],
    [{ DM3_GATEWAY_EMAIL__LISTEN__PROT: '80' }, /^ {2}email\.listen\.prot: no such setting; .*$/m],
    [{ DM3_GATEWAY_NAMES: '' }, /^ {2}names: .*\(saw null\)\. Set names in gateway\.yaml or DM3_GATEWAY_NAMES\.$/m],
    [
      { DM3_GATEWAY_CCIP_READ__RESOLVERS: '[mine]' },
      /^ {2}ccipRead\.resolvers\.0: .*\(saw "mine"\).*DM3_GATEWAY_CCIP_READ__RESOLVERS\.$/m,
    ],
    [{ DM3_GATEWAY_ROOT_SECRET: 'f00dface' }, /^The root secret must be 64 hex digits \(32 bytes\)\.$/m],
    [
      { DM3_GATEWAY_SECRETS__STORAGE_KEYS_FILE: '/none' },
      /^Cannot read the storage keys from \/none \(secrets\.storageKeysFile\)\.$/m,
    ],
    [
      { DM3_GATEWAY_CONFIG: '/none.yaml' },
      /^Cannot read the configuration file \/none\.yaml; "dm3-gateway init" writes one, .*$/m,
    ],
    [
      { DM3_GATEWAY_DATABASE__HOST: '127.0.0.1', DM3_GATEWAY_DATABASE__PORT: '1' },
      /^PostgreSQL at 127\.0\.0\.1:1 .*ECONNREFUSED.*$/m,
    ],
  ])('refuses %j by key, value and remedy', async (wrong, complaint) => {
    const { code, stdout, stderr } = await run(['start'], { ...env, ...wrong });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(complaint);
    expect(stderr).not.toMatch(/f00dface|^ +at /m);
  });

  it('names a section that is missing', async () => {
    const text = fs.readFileSync(at('real/gateway.yaml'), 'utf8');
    fs.writeFileSync(at('incomplete.yaml'), text.replace(/^deliveryService:\n(?: +.*\n)+/m, ''));
    const { code, stderr } = await run(['start', '--config', 'incomplete.yaml'], env);
    expect(code).toBe(1);
    expect(stderr).toContain('  deliveryService: Invalid input: expected object, received undefined (saw nothing).');
  });

  it('does not print a secret that is unusable', async () => {
    const smartHost = JSON.stringify({ host: 'mail.example.org', user: 'me', pass: ['swordfish'] });
    const { code, stderr } = await run(['start'], { ...env, DM3_GATEWAY_EMAIL__OUTGOING__SMART_HOST: smartHost });
    expect(code).toBe(1);
    expect(stderr).toMatch(/email\.outgoing\.smartHost\.pass: .*\(saw a value that is not shown\)/);
    expect(stderr).not.toContain('swordfish');
  });
});

/** The run's PostgreSQL and chain, free ports, and a resolver on that chain. */
async function environment({ options }: TestSchema): Promise<Record<string, string>> {
  const deployer = await fundedDeployer();
  const registry = await deployRegistry(deployer);
  const resolver = await deployOffchainResolver(deployer, { urls: [], signers: [] });
  deployer.close();
  return {
    DM3_GATEWAY_DATABASE: JSON.stringify(options),
    DM3_GATEWAY_HTTP__PORT: String(await freePort()),
    DM3_GATEWAY_ADMIN__PORT: String(await freePort()),
    DM3_GATEWAY_EMAIL__LISTEN: JSON.stringify({ host: '127.0.0.1', port: await freePort() }),
    DM3_GATEWAY_ENS__RPC_URLS: JSON.stringify([process.env['TEST_RPC_URL']]),
    DM3_GATEWAY_ENS__CHAIN_ID: process.env['TEST_CHAIN_ID']!,
    DM3_GATEWAY_ENS__REGISTRY: JSON.stringify(registry),
    DM3_GATEWAY_CCIP_READ__RESOLVERS: JSON.stringify([resolver]),
  };
}

/** Of a folder and the files in it. */
function modes(folder: string): number[] {
  const files = fs.readdirSync(at(folder)).map((name) => path.join(at(folder), name));
  return [at(folder), ...files].map((file) => fs.statSync(file).mode & 0o777);
}

function secretsIn(folder: string): string[] {
  const secrets = at(path.join(folder, 'secrets'));
  return fs.readdirSync(secrets).map((name) => fs.readFileSync(path.join(secrets, name), 'utf8').trim());
}
