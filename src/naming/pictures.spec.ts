import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startHttpServer, type TestServer } from '../../test/support/http-server.js';
import type { EnsName } from '../common/ids.js';
import { Pictures } from './pictures.js';

const PNG = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(20, 7)]);
const NAME = 'bob.eth' as EnsName;

let server: TestServer;
let asked: string[] = [];
beforeAll(async () => {
  server = await startHttpServer((request, response) => {
    asked.push(request.url!);
    if (request.url === '/gone.png') return response.writeHead(404).end();
    response.end(request.url === '/page.png' ? '<html>' : request.url === '/big.png' ? Buffer.alloc(2_000_000) : PNG);
  });
});
afterAll(() => server.stop());

const pictures = (record: string | null, allowPrivate = true) =>
  new Pictures({ ens: { text: async () => record }, ipfsGateway: server.url, allowPrivate });

it.each([
  ['a link', () => `${server.url}/bob.png`],
  ['IPFS', () => 'ipfs://ipfs/bafybeib/bob.png'],
  ['the record itself', () => `data:image/svg+xml;base64,${PNG.toString('base64')}`],
])('shows a picture from %s, by what it is', async (_, record) => {
  const source = record();
  const picture = await pictures(source).of(NAME, null);
  expect(picture).toMatchObject({ source, mediaType: 'image/png' });
  expect(Buffer.from((picture as { bytes: Uint8Array }).bytes).equals(PNG)).toBe(true);
});

it('fetches nothing that is known already', async () => {
  asked = [];
  const source = `${server.url}/bob.png`;
  expect(await pictures(source).of(NAME, source)).toBe('unchanged');
  expect(asked).toEqual([]);
});

it.each(['eip155:1/erc721:0xb7/1', 'javascript:alert(1)', 'ipfs://a b', 'data:text/html,x'])(
  'shows nothing for %s',
  async (record) => {
    expect(await pictures(record).of(NAME, null)).toBeNull();
  },
);

it('shows nothing that is not there, or no picture', async () => {
  expect(await pictures(null).of(NAME, 'x')).toBeNull();
  for (const path of ['gone.png', 'page.png'])
    expect(await pictures(`${server.url}/${path}`).of(NAME, null)).toBeNull();
});

it('does not go where strangers must not lead us, nor take more than a picture has', async () => {
  const closed = new Pictures({
    ens: { text: async () => `${server.url}/bob.png` },
    ipfsGateway: 'https://ipfs.example',
    allowPrivate: false,
  });
  await expect(closed.of(NAME, null)).rejects.toMatchObject({ code: 'FETCH_REFUSED' });
  await expect(pictures(`${server.url}/big.png`).of(NAME, null)).rejects.toMatchObject({ code: 'FETCH_TOO_LARGE' });
});
