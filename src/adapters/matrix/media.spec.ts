import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { assert, property, uint8Array } from 'fast-check';
import { startHttpServer, type TestServer } from '../../../test/support/http-server.js';
import { MatrixApi } from './api.js';
import { Homeserver } from './homeserver.js';
import { decodedPieces, fetchFile } from './media.js';
import { MediaBudget } from './media-budget.js';

const LIMIT = 1_000;
let server: TestServer;
let downloads: number;
beforeEach(async () => {
  server = await startHttpServer();
  downloads = 0;
});
afterEach(() => server.stop());

const api = () => new MatrixApi(new Homeserver({ url: server.url, token: 'secret', timeoutMs: 5_000 }));
const serveFile = (bytes: Uint8Array, headers: Record<string, string>) => {
  server.handler = (_, response) => {
    downloads += 1;
    response.writeHead(200, headers).end(bytes);
  };
};
const file = (size: number | null) => ({ server: 'hs.test', id: 'x', name: 'a.bin', mediaType: 'a/b', size });
/** Everything is free again, or this never resolves. */
const allIsFree = async (budget: MediaBudget) => (await budget.reserve(LIMIT))();

describe('a file from the homeserver', () => {
  it.each([
    ['as large as said', 400, { 'content-length': '400' }, 1],
    ['larger than said: it is fetched again, with more memory', 10, { 'content-length': '400' }, 2],
    ['of which nobody says how large it is', null, { 'transfer-encoding': 'chunked' }, 1],
    ['smaller than said', 900, { 'content-length': '400' }, 1],
  ] as const)('%s', async (_, size, headers, times) => {
    const bytes = randomBytes(400);
    serveFile(bytes, headers);
    const budget = new MediaBudget(LIMIT);
    const held = await fetchFile(file(size), { api: api(), budget, as: '@g:hs.test', limitBytes: LIMIT });
    expect(Buffer.from((held.attachment.content as { bytes: Uint8Array }).bytes).equals(bytes)).toBe(true);
    expect(downloads).toBe(times);
    held.release();
    await allIsFree(budget);
  });

  it.each([
    ['by its sender', 1_001, {}, 0],
    ['by the homeserver', null, { 'content-length': '1001' }, 1],
    ['by nobody', null, { 'transfer-encoding': 'chunked' }, 1],
    ['by nobody, and less by its sender', 10, { 'transfer-encoding': 'chunked' }, 2],
  ] as const)('that is too large, as is said %s, leaves nothing behind', async (_, size, headers, times) => {
    serveFile(randomBytes(1_001), headers);
    const budget = new MediaBudget(LIMIT);
    const options = { api: api(), budget, as: '@g:hs.test', limitBytes: LIMIT };
    await expect(fetchFile(file(size), options)).rejects.toMatchObject({ code: 'FILE_TOO_LARGE' });
    expect(downloads).toBe(times);
    await allIsFree(budget);
  });

  it('that breaks off is fetched another time, and leaves nothing behind', async () => {
    server.handler = (_, response) => {
      response.writeHead(200, { 'content-length': '400' }).write(randomBytes(100));
      setImmediate(() => response.destroy());
    };
    const budget = new MediaBudget(LIMIT);
    const options = { api: api(), budget, as: '@g:hs.test', limitBytes: LIMIT };
    await expect(fetchFile(file(400), options)).rejects.toMatchObject({ retryable: true });
    await allIsFree(budget);
  });

  it('waits until there is memory', async () => {
    serveFile(randomBytes(400), { 'content-length': '400' });
    const budget = new MediaBudget(LIMIT);
    const before = await budget.reserve(700);
    const fetching = fetchFile(file(400), { api: api(), budget, as: '@g:hs.test', limitBytes: LIMIT });
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(downloads).toBe(0);
    before();
    await fetching;
    expect(downloads).toBe(1);
  });
});

describe('a file for the homeserver', () => {
  it('goes in pieces, with its length', async () => {
    const bytes = randomBytes(300_000);
    const [arrived, lengths]: [Buffer[], unknown[]] = [[], []];
    server.handler = async (request, response) => {
      lengths.push(request.headers['content-length']);
      arrived.push(Buffer.concat(await request.toArray()));
      if (arrived.length === 1) return void request.socket.destroy(); // a connection that died
      response.end('{"content_uri":"mxc://hs.test/x"}');
    };
    const base64 = bytes.toString('base64');
    const upload = { name: 'a', mediaType: 'a/b', sizeBytes: bytes.length, pieces: () => decodedPieces(base64) };
    expect(await api().upload('@g:hs.test', upload)).toBe('mxc://hs.test/x');
    expect(lengths).toEqual(['300000', '300000']);
    expect(arrived.every((each) => each.equals(bytes))).toBe(true);
  });

  it('is the same in pieces', () => {
    assert(
      property(uint8Array({ maxLength: 200 }), (bytes) => {
        const long = Buffer.concat(Array.from({ length: 700 }, () => bytes));
        expect(Buffer.concat([...decodedPieces(long.toString('base64'))]).equals(long)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });
});
