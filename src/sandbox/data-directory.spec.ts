import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { killHard, runElsewhere } from '../../test/support/other-process.js';
import { DataDirectoryInUseError, openDataDirectory, resetDataDirectory } from './data-directory.js';

let dir: string;

beforeEach(() => {
  dir = fs.mkdtempSync('/tmp/dm3-gateway-data-');
});

afterEach(() => fs.rmSync(dir, { recursive: true }));

describe('openDataDirectory', () => {
  it('makes the directory, hidden from others', async () => {
    const directory = await openDataDirectory(path.join(dir, 'new'));
    expect(fs.statSync(directory.path).mode & 0o066).toBe(0);
    await directory.release();
  });

  it('refuses a second use, by whatever path, until the first is released', async () => {
    const first = await openDataDirectory(dir);
    fs.symlinkSync(dir, `${dir}-link`);
    await expect(openDataDirectory(`${dir}-link`)).rejects.toThrow(DataDirectoryInUseError);
    fs.rmSync(`${dir}-link`);
    await first.release();
    await (await openDataDirectory(dir)).release();
  });

  it('names the process that holds it, and is free once that one is killed', async () => {
    const source = `await (await load('sandbox/data-directory.js')).openDataDirectory(${JSON.stringify(dir)});`;
    const holder = await runElsewhere(source);
    await expect(openDataDirectory(dir)).rejects.toThrow(`${dir} is in use by process ${holder.pid}; stop that one`);
    await killHard(holder);
    await (await openDataDirectory(dir)).release();
  });
});

describe('resetDataDirectory', () => {
  it('empties the directory and keeps it ours', async () => {
    const directory = await openDataDirectory(dir);
    fs.mkdirSync(directory.captured);
    fs.writeFileSync(directory.chainState, '{}');
    await resetDataDirectory(directory, () => {});
    expect(fs.readdirSync(dir)).toEqual([]);
    await expect(openDataDirectory(dir)).rejects.toThrow(DataDirectoryInUseError);
    await directory.release();
  });
});
