import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { canReach } from './postgres-account.js';

const stranger = { uid: 54_321, gid: 54_321 };
let dir: string;

beforeEach(() => {
  dir = fs.mkdtempSync('/tmp/dm3-gateway-account-');
  fs.chmodSync(dir, 0o711);
  fs.mkdirSync(path.join(dir, 'inner'), { mode: 0o755 });
});

afterEach(() => {
  fs.chmodSync(dir, 0o700);
  fs.rmSync(dir, { recursive: true });
});

describe('canReach', () => {
  it('needs the right to enter every folder on the way', () => {
    expect(canReach(stranger, path.join(dir, 'inner'))).toBe(true);
    fs.chmodSync(dir, 0o700);
    expect(canReach(stranger, path.join(dir, 'inner'))).toBe(false);
  });

  it('goes by the owner, then the group, then everybody else', () => {
    const { uid, gid } = fs.statSync(dir);
    fs.chmodSync(dir, 0o710);
    expect(canReach({ uid: stranger.uid, gid }, dir)).toBe(true);
    expect(canReach(stranger, dir)).toBe(false);
    fs.chmodSync(dir, 0o611);
    expect(canReach({ uid, gid }, dir)).toBe(false);
  });

  it('follows links to where the folder really is', () => {
    const link = path.join(os.tmpdir(), `${path.basename(dir)}-link`);
    fs.symlinkSync(path.join(dir, 'inner'), link);
    fs.chmodSync(dir, 0o700);
    expect(canReach(stranger, link)).toBe(false);
    fs.rmSync(link);
  });

  it('asks nothing of ourselves', () => {
    fs.chmodSync(dir, 0o700);
    expect(canReach(null, path.join(dir, 'inner'))).toBe(true);
  });
});
