import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { emailConfigSchema } from '../adapters/email/config.js';
import { ConfigError } from './errors.js';
import { parseSettings, readConfigTree } from './load.js';
import { coreSettings } from './settings.js';

const MINIMAL = `
database: { host: 127.0.0.1, user: gateway, database: gateway }
http: { publicUrl: https://gateway.example.org/ }
ens: { rpcUrls: [http://127.0.0.1:8545] }
names: { root: gateway.eth }
ccipRead: { resolvers: ["0xABCDEF0000000000000000000000000000000001"] }
deliveryService: { name: ds.gateway.eth }
`;
const home = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-config-'));
afterAll(() => rmSync(home, { recursive: true }));

const sections = { ...coreSettings, email: emailConfigSchema.optional() };
const load = (text: string, env: Record<string, string> = {}) => parseSettings(readConfigTree({ text, env }), sections);

function complaint(text: string, env: Record<string, string> = {}): string {
  try {
    load(text, env);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error('Nobody complained.');
}

describe('the configuration', () => {
  it('needs little, and fills in the rest', () => {
    const settings = load(MINIMAL);
    expect(settings.http).toMatchObject({ host: '127.0.0.1', port: 8080, publicUrl: 'https://gateway.example.org' });
    expect(settings.database).toMatchObject({ port: 5432, schema: 'dm3_gateway', poolSize: 10, ssl: false });
    expect(settings.deliveryService).toMatchObject({
      sizeLimit: 10_000_000,
      messageTtlDays: 0,
      signUp: { policy: 'allow-list', names: [] },
    });
    expect(settings.delivery).toMatchObject({ conversationDays: 7, mapDays: 400, deadLetterDays: 30 });
    expect(settings.ccipRead.resolvers).toEqual(['0xabcdef0000000000000000000000000000000001']);
    expect(settings.logLevel).toBe('info');
  });

  it('is laid over by the environment, section by section', () => {
    const env = {
      DM3_GATEWAY_HTTP__PORT: '8090',
      DM3_GATEWAY_DATABASE__POOL_SIZE: '3',
      DM3_GATEWAY_DATABASE__SSL: 'true',
      DM3_GATEWAY_ENS__RPC_URLS: '[http://127.0.0.1:1, http://127.0.0.1:2]',
      DM3_GATEWAY_DELIVERY_SERVICE__SIGN_UP__POLICY: 'open',
      DM3_GATEWAY_LOG_LEVEL: 'debug',
      PATH: '/bin',
    };
    const { http, database, ens, deliveryService, logLevel } = load(MINIMAL, env);
    expect([http.port, database.poolSize, database.ssl]).toEqual([8090, 3, true]);
    expect(ens.rpcUrls).toEqual(['http://127.0.0.1:1', 'http://127.0.0.1:2']);
    expect(deliveryService).toMatchObject({ name: 'ds.gateway.eth', signUp: { policy: 'open' } });
    expect(logLevel).toBe('debug');
  });

  it('takes one Ethereum node, or a list of them', () => {
    const one = MINIMAL.replace('[http://127.0.0.1:8545]', 'https://node.example/v3/key');
    expect(load(one).ens.rpcUrls).toEqual(['https://node.example/v3/key']);
    expect(load(MINIMAL, { DM3_GATEWAY_ENS__RPC_URLS: 'http://a:1' }).ens.rpcUrls).toEqual(['http://a:1']);
    expect(() => load(MINIMAL.replace('http://127.0.0.1:8545', ''))).toThrow(/ens\.rpcUrls: Too small/);
  });

  it.each(['0123', 'true', '#1: [x', '"quoted"', ' spaced '])('takes the password %j as it is', (password) => {
    expect(load(MINIMAL, { DM3_GATEWAY_DATABASE__PASSWORD: password }).database.password).toBe(password);
  });

  it('leaves alone what others read from the environment', () => {
    const reserved = ['ROOT_SECRET', 'STORAGE_KEYS', 'CONFIG', 'CWD'].map((name) => [`DM3_GATEWAY_${name}`, 'x']);
    expect(load(MINIMAL, Object.fromEntries(reserved))).toEqual(load(MINIMAL));
  });

  it.each(['a password: { with YAML in it }', '0123'])('takes a value from a file that it names: %s', (password) => {
    const file = path.join(home, 'a password');
    writeFileSync(file, `${password}\n`);
    const text = MINIMAL.replace('user: gateway', `user: gateway, password: !file ${file}`);
    expect(load(text).database.password).toBe(password);
    expect(load(MINIMAL, { DM3_GATEWAY_DATABASE__USER: `!file ${file}` }).database.user).toBe(password);
  });

  it('is read from its file', () => {
    const file = path.join(home, 'gateway.yaml');
    writeFileSync(file, MINIMAL);
    expect(parseSettings(readConfigTree({ file, env: {} }), sections)).toEqual(load(MINIMAL));
  });
});

describe('a complaint', () => {
  it('names key, fault, value and both places to set it', () => {
    const text = complaint(MINIMAL.replace('gateway.example.org/', 'gateway.example.org/, port: 99999'));
    expect(text).toContain('http.port: Too big');
    expect(text).toContain('(saw 99999). Set http.port in gateway.yaml or DM3_GATEWAY_HTTP__PORT.');
  });

  it('tells of everything at once, also of what is missing', () => {
    const lines = complaint('http: {}').split('\n');
    expect(lines[0]).toBe('The configuration is not usable:');
    expect(lines.slice(1).map((line) => line.trim().split(':')[0])).toEqual([
      'database',
      'http.publicUrl',
      'ens',
      'names',
      'ccipRead',
      'deliveryService',
    ]);
    expect(lines[2]).toContain('(saw nothing)');
  });

  it('names settings that do not exist', () => {
    expect(complaint(`${MINIMAL}\nadmin: { prot: 1 }`)).toContain('admin.prot: no such setting');
    expect(complaint(MINIMAL, { DM3_GATEWAY_HTTP__PROT: '1' })).toContain('http.prot: no such setting');
  });

  it.each([
    ['a password', 'email: { domains: [a.org], outgoing: { smartHost: { host: a, pass: [hunter2] } } }'],
    [
      'a section with a key in it',
      'email: { domains: [a.org], dkim: { selector: s, privateKey: hunter2, privateKeyFile: f } }',
    ],
    ['a list', 'email: [hunter2]'],
    ['a line that is not YAML', 'database: { password: "hunter2'],
  ])('never shows %s', (_, text) => {
    expect(
      complaint(`${MINIMAL.replace(/database.*/, text.startsWith('database') ? '' : '$&')}\n${text}`),
    ).not.toContain('hunter2');
  });

  it.each(['wss://node.example/v3/hunter2', '[wss://node.example/v3/hunter2]'])(
    'never shows the URL of an Ethereum node, which may hold a key: %s',
    (rpcUrls) => {
      const text = complaint(MINIMAL, { DM3_GATEWAY_ENS__RPC_URLS: rpcUrls });
      expect(text).toMatch(/ens\.rpcUrls(\.0)?: expected the http\(s\) URL of an Ethereum node/);
      expect(text).not.toContain('hunter2');
    },
  );

  it('names the variable that is not YAML', () => {
    expect(complaint(MINIMAL, { DM3_GATEWAY_ENS__RPC_URLS: '[http://x' })).toMatch(
      /^DM3_GATEWAY_ENS__RPC_URLS is not valid YAML: .*line 1.*\.$/,
    );
  });

  it('names the file that a value should come from', () => {
    const text = MINIMAL.replace('user: gateway', 'user: !file /none/user');
    expect(complaint(text)).toBe('The configuration takes a value from the file /none/user, which cannot be read.');
  });

  it('says where a file should be, and what should be in it', () => {
    const missing = () => readConfigTree({ file: path.join(home, 'none.yaml'), env: {} });
    expect(missing).toThrow(/Cannot read the configuration file .*none\.yaml; "dm3-gateway init" writes one/);
    expect(complaint('- a list')).toBe('the configuration must hold sections such as "http:" and "database:".');
  });

  it.each([
    ['deliveryService: { name: ds.gateway.eth, messageTtlDays: 7 }', /messageTtlDays: dm3 asks for 30 days at least/],
    ['names: { root: gateway }', /names\.root: expected an ENS name/],
    ['ccipRead: { resolvers: ["0x12"] }', /ccipRead\.resolvers\.0: expected an Ethereum address/],
  ])('tells what %s should be', (line, expected) => {
    const key = line.split(':')[0]!;
    expect(complaint(MINIMAL.replace(new RegExp(`${key}:.*`), line))).toMatch(expected);
  });
});
