import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { startHttpServer, type TestServer } from '../../test/support/http-server.js';
import { safeFetch, type HostLookup } from './safe-fetch.js';

const LOOPBACK = { address: '127.0.0.1', family: 4 };
const PUBLIC = { address: '203.0.114.1', family: 4 };
const anywhere = { allowPrivate: true };

let server: TestServer;

beforeAll(async () => {
  server = await startHttpServer();
});

afterAll(() => server.stop());

const refused = { code: 'FETCH_REFUSED', retryable: false };
const failed = { code: 'FETCH_FAILED', retryable: true };
const utf8 = (body: Uint8Array) => new TextDecoder().decode(body);

describe('safeFetch', () => {
  it('fetches bytes, whatever the status', async () => {
    server.handler = (_, response) => response.writeHead(404).end(Buffer.from([0, 255]));
    const { status, body } = await safeFetch(server.url, anywhere);
    expect(status).toBe(404);
    expect([...body]).toEqual([0, 255]);
  });

  it('posts JSON', async () => {
    server.handler = (request, response) =>
      void text(request).then((body) => response.end(`${request.method} ${request.headers['content-type']} ${body}`));
    const { body } = await safeFetch(server.url, { ...anywhere, json: { a: 1 } });
    expect(utf8(body)).toBe('POST application/json {"a":1}');
  });

  it('posts bytes with headers of their own', async () => {
    server.handler = (request, response) =>
      void text(request).then((body) => response.end(`${request.method} ${request.headers['content-type']} ${body}`));
    const post = { headers: { 'content-type': 'x/y', ttl: 5 }, body: Buffer.from('bytes') };
    const { body } = await safeFetch(server.url, { ...anywhere, post });
    expect(utf8(body)).toBe('POST x/y bytes');
  });

  it('follows no redirect where none is wanted', async () => {
    server.handler = (request, response) =>
      request.url === '/' ? response.writeHead(307, { location: '/next' }).end() : response.end('next');
    await expect(safeFetch(server.url, { ...anywhere, maxRedirects: 0 })).rejects.toMatchObject(refused);
    expect(utf8((await safeFetch(server.url, anywhere)).body)).toBe('next');
  });

  it('connects to the address that was looked up, once', async () => {
    const lookup = jest.fn<HostLookup>().mockResolvedValue([LOOPBACK]);
    server.handler = (request, response) => response.end(request.headers.host);
    const { body } = await safeFetch(`http://profiles.example:${server.port}/`, { ...anywhere, lookup });
    expect(utf8(body)).toBe(`profiles.example:${server.port}`);
    expect(lookup.mock.calls).toEqual([['profiles.example']]);
  });

  it.each(['file:///etc/passwd', 'ftp://example.com/', 'data:,x', 'gopher://example.com', '//example.com', ''])(
    'refuses %p',
    async (url) => {
      await expect(safeFetch(url, anywhere)).rejects.toMatchObject(refused);
    },
  );

  it.each(['127.0.0.1', 'localhost', '[::1]', '2130706433', '0x7f.1', '[::ffff:127.0.0.1]', '10.0.0.1'])(
    'refuses the private host %s',
    async (host) => {
      const asked = jest.fn();
      server.handler = asked;
      const fetching = safeFetch(`http://${host}:${server.port}/`, { allowPrivate: false });
      await expect(fetching).rejects.toMatchObject(refused);
      expect(asked).not.toHaveBeenCalled();
    },
  );

  it('refuses a host of whose addresses one is private', async () => {
    const options = { allowPrivate: false, lookup: () => Promise.resolve([PUBLIC, LOOPBACK]) };
    await expect(safeFetch('https://rebinding.example/', options)).rejects.toMatchObject(refused);
  });

  it('follows redirects, three at most', async () => {
    server.handler = (request, response) => {
      const left = Number(request.url!.slice(1));
      if (left === 0) response.end('arrived');
      else response.writeHead(302, { location: `/${left - 1}` }).end();
    };
    expect(utf8((await safeFetch(`${server.url}/3`, anywhere)).body)).toBe('arrived');
    await expect(safeFetch(`${server.url}/4`, anywhere)).rejects.toMatchObject(refused);
  });

  it.each(['ftp://example.com/', 'file:///etc/passwd'])('refuses a redirect to %s', async (location) => {
    server.handler = (_, response) => response.writeHead(302, { location }).end();
    await expect(safeFetch(server.url, anywhere)).rejects.toMatchObject(refused);
  });

  it('fails where the name, the server or the connection fails', async () => {
    const nobody: HostLookup = () => Promise.reject(new Error('ENOTFOUND'));
    await expect(safeFetch('http://nobody.example', { ...anywhere, lookup: nobody })).rejects.toMatchObject(failed);
    const nowhere: HostLookup = () => Promise.resolve([]);
    await expect(safeFetch('http://nobody.example', { ...anywhere, lookup: nowhere })).rejects.toMatchObject(failed);
    server.handler = (request) => request.destroy();
    await expect(safeFetch(server.url, anywhere)).rejects.toMatchObject(failed);
    server.handler = (_, response) =>
      response.writeHead(200, { 'content-length': '10' }).write('half', () => response.destroy());
    await expect(safeFetch(server.url, anywhere)).rejects.toMatchObject(failed);
  });

  it('reads 64 KB and no more', async () => {
    const limit = 64 * 1024;
    server.handler = (request, response) => response.end(Buffer.alloc(Number(request.url!.slice(1))));
    expect((await safeFetch(`${server.url}/${limit}`, anywhere)).body).toHaveLength(limit);
    const tooLarge = { code: 'FETCH_TOO_LARGE', facts: { limitBytes: limit } };
    await expect(safeFetch(`${server.url}/${limit + 1}`, anywhere)).rejects.toMatchObject(tooLarge);
  });

  it.each(['never answers', 'never ends', 'is never found'])('gives up on a server that %s', async (kind) => {
    server.handler = (_, response) => void (kind === 'never ends' && response.write('…'));
    const lookup: HostLookup = () => (kind === 'is never found' ? new Promise(() => {}) : Promise.resolve([LOOPBACK]));
    const options = { ...anywhere, lookup, timeoutMs: 100 };
    await expect(safeFetch(`http://slow.example:${server.port}/`, options)).rejects.toMatchObject(failed);
  });
});

describe('a server that the operator chose', () => {
  const own = () => ({ allowPrivate: false, ownOrigin: server.url });
  let other: TestServer;

  beforeAll(async () => {
    other = await startHttpServer();
  });

  afterAll(() => other.stop());

  it('may be on a private network', async () => {
    server.handler = (_, response) => response.end('mine');
    expect(utf8((await safeFetch(`${server.url}/ipfs/x`, own())).body)).toBe('mine');
  });

  it('opens no other door there, not even another port, nor by a redirect', async () => {
    const asked = jest.fn();
    other.handler = (_, response) => {
      asked();
      response.end();
    };
    await expect(safeFetch(other.url, own())).rejects.toMatchObject(refused);
    server.handler = (_, response) => response.writeHead(302, { location: other.url }).end();
    await expect(safeFetch(server.url, own())).rejects.toMatchObject(refused);
    expect(asked).not.toHaveBeenCalled();
  });
});

describe('a redirect from the public internet into a private network', () => {
  it('is refused, though the first host was fine', async () => {
    const inner = await startHttpServer();
    const asked = jest.fn();
    inner.handler = asked;
    const location = `http://metadata.internal:${inner.port}/`;
    server.handler = (_, response) => response.writeHead(307, { location }).end();
    // The first host must be reachable here and pass for public: the rule that looks at addresses is told apart by name.
    const lookup: HostLookup = (host) =>
      Promise.resolve([host === 'public.example' ? LOOPBACK : { ...LOOPBACK, address: '127.0.0.2' }]);
    const isPublic = (address: string) => address === LOOPBACK.address;
    const fetching = safeFetch(`http://public.example:${server.port}/`, { allowPrivate: false, lookup, isPublic });
    await expect(fetching).rejects.toMatchObject(refused);
    expect(asked).not.toHaveBeenCalled();
    await inner.stop();
  });
});
