import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { dkimValue } from '../adapters/email/dns-records.js';
import { ConfigError } from './errors.js';
import { addStorageKey, settleSecrets } from './secret-files.js';
import { loadSecrets } from './secrets.js';

const ROOT = 'ab'.repeat(32);
const KEY = 'cd'.repeat(32);
const home = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-secrets-'));
afterAll(() => rmSync(home, { recursive: true }));

const env = (root: string, keys: string) => ({ DM3_GATEWAY_ROOT_SECRET: root, DM3_GATEWAY_STORAGE_KEYS: keys });

function complaint(files: Parameters<typeof loadSecrets>[0], environment: Record<string, string>): string {
  try {
    loadSecrets(files, environment);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error('Nobody complained.');
}

describe('loadSecrets', () => {
  it('reads the environment, the first key being the one that seals', () => {
    const { rootSecret, storageKeys } = loadSecrets({}, env(`0x${ROOT}`, `7:${KEY},1:${ROOT}`));
    expect(Buffer.from(rootSecret).toString('hex')).toBe(ROOT);
    expect(storageKeys.map(({ id }) => id)).toEqual([7, 1]);
    expect(Buffer.from(storageKeys[0].key).toString('hex')).toBe(KEY);
  });

  it('reads files, which the environment overrules', () => {
    const [rootSecretFile, storageKeysFile] = ['root', 'keys'].map((name) => path.join(home, name)) as [string, string];
    writeFileSync(rootSecretFile, `${ROOT}\n`);
    writeFileSync(storageKeysFile, `2:${KEY}\n\n1:${ROOT}\n`);
    const files = { rootSecretFile, storageKeysFile };
    expect(loadSecrets(files, {}).storageKeys.map(({ id }) => id)).toEqual([2, 1]);
    const overruled = loadSecrets(files, { DM3_GATEWAY_ROOT_SECRET: KEY });
    expect(Buffer.from(overruled.rootSecret).toString('hex')).toBe(KEY);
  });

  it.each([
    ['a root secret that is too short', env('abcd', `1:${KEY}`), 'The root secret must be 64 hex digits'],
    ['a storage key that is too short', env(ROOT, '1:beef'), 'Storage key 1 must be 64 hex digits'],
    ['a key without an id', env(ROOT, KEY), 'written <id 1-255>'],
    ['an id out of range', env(ROOT, `256:${KEY}`), 'written <id 1-255>'],
    ['two keys of one id', env(ROOT, `1:${KEY},1:${ROOT}`), 'the same id'],
    ['no key', env(ROOT, ' , '), 'is empty'],
  ])('refuses %s without showing it', (_, environment, expected) => {
    const text = complaint({}, environment);
    expect(text).toContain(expected);
    for (const secret of [ROOT, KEY, 'abcd', 'beef']) expect(text).not.toContain(secret);
  });

  it('says where secrets should be', () => {
    expect(complaint({}, {})).toMatch(/no root secret: set secrets\.rootSecretFile or DM3_GATEWAY_ROOT_SECRET/);
    const missing = { rootSecretFile: path.join(home, 'none') };
    expect(complaint(missing, {})).toMatch(/Cannot read the root secret from .*none \(secrets\.rootSecretFile\)/);
  });
});

describe('settleSecrets', () => {
  it('makes what is missing, for its owner only, and keeps what is there', () => {
    const dir = path.join(home, 'made');
    const files = settleSecrets(dir);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    const paths = [files.rootSecretFile, files.storageKeysFile, files.dkimKeyFile];
    expect(paths.map((file) => statSync(file).mode & 0o777)).toEqual([0o600, 0o600, 0o600]);
    const before = paths.map((file) => readFileSync(file, 'utf8'));
    rmSync(files.storageKeysFile);
    expect(settleSecrets(dir)).toEqual(files);
    const after = paths.map((file) => readFileSync(file, 'utf8'));
    expect([after[0], after[2]]).toEqual([before[0], before[2]]);
    expect(after[1]).not.toBe(before[1]);
    expect(files.adminToken).toMatch(/^[0-9a-f]{64}$/);
  });

  it('makes secrets that can be loaded and published', () => {
    const files = settleSecrets(path.join(home, 'made'));
    expect(loadSecrets(files, {}).storageKeys).toHaveLength(1);
    expect(dkimValue(readFileSync(files.dkimKeyFile, 'utf8'))).toMatch(/^v=DKIM1; k=rsa; p=[A-Za-z0-9+/]{392}$/);
  });
});

describe('addStorageKey', () => {
  const made = (name: string, text: string) => {
    const file = path.join(home, name);
    writeFileSync(file, text);
    chmodSync(file, 0o640);
    return file;
  };
  const idsIn = (file: string) => loadSecrets({ storageKeysFile: file }, { DM3_GATEWAY_ROOT_SECRET: ROOT }).storageKeys;

  it('puts a fresh key before the others, which stay', () => {
    const file = made('growing', `2:${KEY}\n1:${ROOT}\n`);
    expect(addStorageKey(file, [2, 1])).toBe(3);
    const [fresh, ...others] = idsIn(file);
    expect(fresh.id).toBe(3);
    expect(others.map(({ id, key }) => [id, Buffer.from(key).toString('hex')])).toEqual([
      [2, KEY],
      [1, ROOT],
    ]);
    expect(addStorageKey(file, [3, 2, 1])).toBe(4);
    expect(Buffer.from(idsIn(file)[0].key)).not.toEqual(Buffer.from(fresh.key));
  });

  it('keeps the mode, follows a link, and minds no leftover of a run that was killed', () => {
    const file = made('linked', `1:${KEY}`);
    writeFileSync(`${file}.new`, 'half a k');
    symlinkSync(file, path.join(home, 'link'));
    addStorageKey(path.join(home, 'link'), [1]);
    expect(idsIn(file).map(({ id }) => id)).toEqual([2, 1]);
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(readdirSync(home).filter((name) => name.endsWith('.new'))).toEqual([]);
  });

  it('says what keeps it from it', () => {
    expect(() => addStorageKey(path.join(home, 'none'), [1])).toThrow(ConfigError);
    expect(() => addStorageKey(path.join(home, 'none'), [1])).toThrow(/Cannot put a new key into .*none: ENOENT/);
    expect(() => addStorageKey(made('full', `255:${KEY}`), [255])).toThrow(/numbered up to 255/);
  });

  it('is seen by processes that run, if their keys are from the file', () => {
    const file = made('watched', `1:${KEY}`);
    const running = loadSecrets({ storageKeysFile: file }, { DM3_GATEWAY_ROOT_SECRET: ROOT });
    addStorageKey(file, [1]);
    expect(running.rereadStorageKeys!().map(({ id }) => id)).toEqual([2, 1]);
    expect(loadSecrets({ storageKeysFile: file }, env(ROOT, `1:${KEY}`)).rereadStorageKeys).toBeUndefined();
  });
});
