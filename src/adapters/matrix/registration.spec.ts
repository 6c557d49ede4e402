import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { formatAddress, parseUserId, toForeign, userOf } from './address.js';
import { matrixConfigSchema } from './config.js';
import { formatRegistration, newRegistration, readRegistration } from './registration.js';

const dir = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-registration-'));
afterAll(() => rmSync(dir, { recursive: true }));
const file = (text: string) => {
  const name = path.join(dir, 'registration.yaml');
  writeFileSync(name, text);
  return name;
};

describe('the registration', () => {
  it('is what both sides read', () => {
    const made = newRegistration({ serverName: 'hs.test', url: 'http://127.0.0.1:8080' });
    const text = formatRegistration(made);
    expect(readRegistration(file(text))).toEqual(made);
    expect(parse(text)).toMatchObject({
      receive_ephemeral: true,
      'de.sorunome.msc2409.push_ephemeral': true,
      namespaces: { users: [{ exclusive: true, regex: String.raw`@dm3_.*:hs\.test` }], aliases: [], rooms: [] },
    });
    expect(newRegistration({ serverName: 'hs.test', url: 'x' }).hs_token).not.toBe(made.hs_token);
  });

  it.each(['', 'id: x', 'id: [', 'as_token: short'])(
    'that says %j is refused, naming the file and the command',
    (text) => {
      expect(() => readRegistration(file(text))).toThrow(/registration\.yaml is not usable.*matrix registration/s);
    },
  );

  it('that is not there is refused without its tokens', () => {
    expect(() => readRegistration(path.join(dir, 'none'))).toThrow('no such file');
  });
});

describe('the configuration', () => {
  it('needs three settings', () => {
    const given = { homeserverUrl: 'https://hs.test/', serverName: 'HS.test', registrationFile: 'r.yaml' };
    expect(matrixConfigSchema.parse(given)).toMatchObject({
      homeserverUrl: 'https://hs.test',
      serverName: 'hs.test',
      readReceipts: true,
      bridgeNotices: false,
    });
    expect(matrixConfigSchema.safeParse({ ...given, serverName: 'https://hs.test' }).success).toBe(false);
    expect(matrixConfigSchema.safeParse({ ...given, homeserverUrl: 'hs.test' }).success).toBe(false);
  });
});

describe('addresses', () => {
  it.each([
    ['@alice:hs.test', 'matrix:u/alice:hs.test'],
    ['@a=b/c:hs.test:8448', 'matrix:u/a=b%2Fc:hs.test:8448'],
    ['@Ünï:hs.test', 'matrix:u/%C3%9Cn%C3%AF:hs.test'],
  ])('%s is %s', (userId, address) => {
    expect(toForeign(userId)).toBe(address);
    expect(userOf(toForeign(userId))).toBe(userId);
    expect(formatAddress(toForeign(userId))).toBe(userId);
  });

  it.each(['alice:hs.test', '@:hs.test', '@alice', '@alice:', '@a\u0000:hs.test', `@${'a'.repeat(300)}:hs.test`])(
    '%j is no user id',
    (text) => {
      expect(parseUserId(text)).toBeNull();
    },
  );
});
