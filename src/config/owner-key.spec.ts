import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { loadOwnerKey } from './owner-key.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-owner-'));
const file = path.join(folder, 'key');
afterAll(() => rmSync(folder, { recursive: true }));
const KEY = 'ab'.repeat(32);

describe('loadOwnerKey', () => {
  it('takes the file, else the environment', () => {
    writeFileSync(file, `0x${KEY}\n`);
    expect(loadOwnerKey(file, {})).toBe(`0x${KEY}`);
    expect(loadOwnerKey(undefined, { DM3_GATEWAY_OWNER_KEY: KEY })).toBe(`0x${KEY}`);
  });

  it.each([
    [undefined, undefined, "There is no owner's key"],
    ['/none', undefined, "Cannot read the owner's key from /none"],
    [undefined, 'swordfish', 'must be 64 hex digits'],
  ])('says what is wrong with file %s and variable %s', (named, variable, sentence) => {
    const load = () => loadOwnerKey(named, { DM3_GATEWAY_OWNER_KEY: variable });
    expect(load).toThrow(sentence);
    expect(load).not.toThrow('swordfish');
  });
});
