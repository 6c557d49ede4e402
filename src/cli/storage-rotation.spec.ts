import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ConfigError } from '../config/errors.js';
import type { Settings } from '../config/settings.js';
import type { Rotation } from './rotation.js';
import { rotateStorageKeys, sealedValues } from './storage-rotation.js';

const KEY = 'ab'.repeat(32);
const ROOT_SECRET = { DM3_GATEWAY_ROOT_SECRET: KEY };
const home = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-rotation-'));
const storageKeysFile = path.join(home, 'storage-keys');
beforeEach(() => writeFileSync(storageKeysFile, `1:${KEY}\n`));
afterAll(() => rmSync(home, { recursive: true }));

/** Of an empty database. */
function rotation(changes: Partial<Rotation>, said: string[] = []): Rotation {
  return {
    db: { query: async () => [{ blocks: '0' }] as never },
    settings: { secrets: { storageKeysFile } } as Settings,
    env: ROOT_SECRET,
    dryRun: false,
    agree: async () => false,
    say: (text) => void said.push(text),
    ...changes,
  };
}

describe('rotateStorageKeys', () => {
  it('changes nothing unless it is agreed to', async () => {
    const asked: string[] = [];
    await rotateStorageKeys(rotation({ agree: async (plan) => asked.push(plan) === 0 }));
    expect(asked).toEqual([`Put a new key into ${storageKeysFile} and seal everything anew with it.`]);
    expect(readFileSync(storageKeysFile, 'utf8')).toBe(`1:${KEY}\n`);
  });

  it('says the same on a dry run, and does not ask', async () => {
    const said: string[] = [];
    const agree = () => Promise.reject(new Error('asked'));
    await rotateStorageKeys(rotation({ dryRun: true, agree }, said));
    expect(said.at(-1)).toMatch(/^Put a new key into /);
  });

  it('leaves keys alone that are not in a file, and says what to do', async () => {
    const env = { ...ROOT_SECRET, DM3_GATEWAY_STORAGE_KEYS: `3:${KEY},1:${'cd'.repeat(32)}` };
    const attempt = rotateStorageKeys(rotation({ env, agree: async () => true }));
    await expect(attempt).rejects.toThrow(ConfigError);
    await expect(attempt).rejects.toThrow('put "4:<64 random hex digits>," before what it holds');
    expect(readFileSync(storageKeysFile, 'utf8')).toBe(`1:${KEY}\n`);
  });
});

it('counts are shown by key, those of keys that are not used or not there included', () => {
  const keys = [
    { id: 3, key: new Uint8Array(32) },
    { id: 2, key: new Uint8Array(32) },
  ] as const;
  const counts = new Map([
    [3, 20],
    [1, 4],
  ]);
  expect(sealedValues(counts, keys)).toBe('sealed values by storage key: 1: 4 (missing), 2: 0, 3: 20 (seals)');
});
