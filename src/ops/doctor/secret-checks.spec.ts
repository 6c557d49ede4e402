import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { backupMarkOf, secretChecks } from './secret-checks.js';
import { settleSecrets } from '../../config/secret-files.js';

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-secrets-'));
afterAll(() => fs.rmSync(dir, { recursive: true }));

const codes = async (files: Parameters<typeof secretChecks>[0]) =>
  (await Promise.all(secretChecks(files).map((check) => check.run()))).flat().map(({ level, code }) => [level, code]);

it('warns of secrets that others may read, and of a root secret without a copy', async () => {
  const files = settleSecrets(dir);
  expect(await codes(files)).toEqual([['warning', 'NO_BACKUP']]);
  fs.writeFileSync(backupMarkOf(files.rootSecretFile), '');
  expect(await codes(files)).toEqual([['ok', 'BACKUP']]);
  fs.chmodSync(files.storageKeysFile, 0o644);
  expect(await codes(files)).toEqual([
    ['warning', 'SECRET_READABLE'],
    ['ok', 'BACKUP'],
  ]);
});

it('has nothing to say of secrets that come from the environment', async () => {
  expect(await codes({})).toEqual([]);
});
