import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { placeData, removeData, socketDirectory } from './postgres-place.js';

let dir: string;

beforeEach(() => {
  dir = fs.mkdtempSync('/tmp/dm3-gateway-place-');
});

afterEach(() => fs.rmSync(dir, { recursive: true, force: true }));

describe('placeData', () => {
  it('makes the folder for its owner alone and returns its real path', () => {
    fs.mkdirSync(path.join(dir, 'real'));
    fs.symlinkSync('real', path.join(dir, 'link'));
    const place = placeData(path.join(dir, 'link', 'postgres'), null, () => {});
    expect(place).toBe(path.join(dir, 'real', 'postgres'));
    expect(fs.statSync(place).mode & 0o777).toBe(0o700);
  });

  it('follows the link that an earlier start left, and removes its target with it', () => {
    const elsewhere = path.join(dir, 'elsewhere');
    const link = path.join(dir, 'postgres');
    fs.symlinkSync(elsewhere, link);
    expect(placeData(link, null, () => {})).toBe(elsewhere);
    removeData(link);
    expect(fs.readdirSync(dir)).toEqual([]);
  });
});

describe('socketDirectory', () => {
  it('is the data directory while the socket path fits', () => {
    expect(socketDirectory(dir, 5432, null)).toBe(dir);
  });

  it('is a private folder with a short path otherwise, the same each time', () => {
    const deep = path.join(dir, 'x'.repeat(100));
    const short = socketDirectory(deep, 5432, null);
    expect(Buffer.byteLength(path.join(short, '.s.PGSQL.5432'))).toBeLessThan(107);
    expect(fs.statSync(short).mode & 0o777).toBe(0o700);
    expect(socketDirectory(deep, 5432, null)).toBe(short);
    fs.rmdirSync(short);
  });

  it('is not a link that somebody put there', () => {
    const deep = path.join(dir, 'y'.repeat(100));
    const short = socketDirectory(deep, 5432, null);
    fs.rmdirSync(short);
    fs.symlinkSync(dir, short);
    expect(() => socketDirectory(deep, 5432, null)).toThrow('belongs to another user');
    fs.rmSync(short);
  });
});
