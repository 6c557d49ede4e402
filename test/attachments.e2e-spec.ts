import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Message } from '@dm3-org/dm3-lib-messaging';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { SendMailOptions } from 'nodemailer';
import { HEAD_BYTES, openChunks, readHead, readKey } from '../src/gateway/attachments/page/unseal.js';
import { Maintenance } from '../src/gateway/maintenance.js';
import type { Person } from '../src/sandbox/people.js';
import { TestBrowser } from './support/browser.js';
import { describeWithPeer } from './support/describe-with-peer.js';
import { RealClient } from './support/dm3-lib.js';
import { eventually } from './support/eventually.js';
import { startForeignService, type ForeignService } from './support/foreign-service.js';
import { ask } from './support/http-answer.js';
import { linksIn, type FoundLink } from './support/linked-files.js';
import { exampleDns, sendMail } from './support/mail.js';
import { secretsIn, type Secret } from './support/secrets.js';
import { DOMAIN, TestGateway } from './support/test-gateway.js';

/** What real delivery services take. */
const LIMIT = 100_000;
const ATTACHMENTS = {
  enabled: true,
  maxBytes: 8_000_000,
  maxBytesPerMessage: 12_000_000,
  receiverBytesPerDay: 20_000_000,
  quotaBytes: 60_000_000,
};
const DAVE = `dave.eth@${DOMAIN}`;
const FILM = randomBytes(5_242_880);
/** Five chunks and a little, and less than is taken elsewhere. */
const CLIP = randomBytes(1_320_000);
const film = { filename: 'Film vom Sommer 🎬.mp4', content: FILM, contentType: 'video/mp4' };
const clip = { ...film, content: CLIP };

let gateway: TestGateway;
let service: ForeignService;
let dave: RealClient;

beforeAll(async () => {
  gateway = await TestGateway.create({ dns: exampleDns, settings: { attachments: ATTACHMENTS } });
  service = await startForeignService(gateway, { name: 'ds.small.eth', sizeLimit: LIMIT });
  dave = await RealClient.create(gateway, await addPerson('dave.eth'));
});
afterAll(async () => {
  await gateway.stop();
  await service.stop();
});
afterEach(async () => {
  service.mood = 'takes';
  await gateway.db.query('DELETE FROM attachment'); // the quotas are for each test
});

function addPerson(name: string, deliveryService: string = service.name): Promise<Person> {
  return gateway.addPerson(name, { deliveryService });
}

/** Waits for a message at a foreign delivery service, and opens it with the client's library. */
function received(words: string, reader = dave, from = service): Promise<Message> {
  return eventually(`a message with "${words}"`, async () => {
    const opened = from.envelopes.map((envelope) => reader.openMessage(envelope).catch(() => null));
    return (await Promise.all(opened)).find((each) => each?.message?.includes(words));
  });
}

let mails = 0;
/** Sends a mail with files and reads what becomes of it. */
async function delivered(mail: SendMailOptions = {}): Promise<{ message: Message; links: FoundLink[] }> {
  mails += 1;
  const words = `Mail number ${mails}.`;
  await sendMail(gateway, { to: DAVE, attachments: [film], ...mail, text: `${words}\n\n${String(mail.text ?? '')}` });
  const message = await received(words);
  return { message, links: linksIn(message) };
}

const linkTo = async (file: Partial<typeof clip> = {}): Promise<FoundLink> =>
  (await delivered({ attachments: [{ ...clip, ...file }] })).links[0]!;

async function bytesOf(url: string, headers: Record<string, string> = {}): Promise<Buffer> {
  return Buffer.from(await (await fetch(url, { headers })).arrayBuffer());
}

/** As the page does it. */
async function unsealed({ dataUrl, key: text }: FoundLink): Promise<{ name: string; type: string; content: Buffer }> {
  const sealed = await bytesOf(dataUrl);
  const key = await readKey(text);
  const head = await readHead(key, sealed.subarray(0, HEAD_BYTES));
  const chunks: Uint8Array[] = [];
  for await (const chunk of openChunks(key, head, [sealed.subarray(HEAD_BYTES)])) chunks.push(chunk);
  return { name: head.name, type: head.type, content: Buffer.concat(chunks) };
}

async function filesKept(): Promise<number> {
  return (await gateway.db.query('SELECT 1 FROM attachment')).length;
}

const expireAll = () => gateway.db.query(`UPDATE attachment SET expires_at = now() - interval '1 second'`);

describe('A mail with more than the receiver’s delivery service takes', () => {
  it('arrives with a link in place of the file, signed, and within the limit', async () => {
    const { message, links } = await delivered();
    expect(await dave.isSignedBySender({ message })).toBe(true);
    expect(Buffer.byteLength(JSON.stringify(service.envelopes.at(-1)))).toBeLessThanOrEqual(LIMIT);
    expect(message.attachments ?? []).toEqual([]);
    expect(links).toMatchObject([{ name: 'Film vom Sommer 🎬.mp4', size: '5.2 MB' }]);
    expect(links[0]!.url).toMatch(new RegExp(`^${gateway.url}/a/[0-9a-f]{32}#[0-9a-f]{64}$`));
    const days = (Date.parse(`${links[0]!.until} UTC`) - Date.now()) / 86_400_000;
    expect(Math.round(days + 0.5)).toBe(30);
    const file = await unsealed(links[0]!);
    expect(file).toMatchObject({ name: 'Film vom Sommer 🎬.mp4', type: 'video/mp4' });
    expect(file.content.equals(FILM)).toBe(true);
  });

  it('keeps the files that fit', async () => {
    const note = { filename: 'note.txt', content: 'small', contentType: 'text/plain' };
    const photo = { filename: 'photo.png', content: randomBytes(80_000), contentType: 'image/png' };
    const { message, links } = await delivered({ attachments: [note, photo, film] });
    expect(links.map(({ name }) => name)).toEqual([film.filename, 'photo.png']);
    expect(message.attachments).toEqual([
      { name: 'note.txt', data: `data:text/plain;base64,${Buffer.from('small').toString('base64')}` },
    ]);
    expect((await unsealed(links[1]!)).content.equals(photo.content)).toBe(true);
  });

  it('arrives with the beginning of a text that is too long, and a link to all of it', async () => {
    const text = 'The grass is tall. '.repeat(9_000);
    const { message, links } = await delivered({ text, attachments: [{ filename: 'a.txt', content: 'small' }] });
    expect(message.message).toMatch(/^\*\*Hello\*\*\n\nMail number \d+\.\n\nThe grass is tall\. /);
    expect(message.message!.length).toBeLessThan(2_600);
    expect(links).toMatchObject([{ name: 'message.txt', size: '171 KB' }]);
    expect((await unsealed(links[0]!)).content.toString()).toContain(text.trim());
    expect(message.attachments).toHaveLength(1);
  });

  it('gives each receiver what fits for him', async () => {
    const roomy = await startForeignService(gateway, { name: 'ds.roomy.eth', sizeLimit: 1_000_000 });
    const rita = await RealClient.create(gateway, await addPerson('rita.eth', roomy.name));
    const bob = await RealClient.create(gateway, gateway.bob);
    const photo = { filename: 'photo.png', content: randomBytes(300_000), contentType: 'image/png' };
    const text = 'To each his own.';
    await sendMail(gateway, {
      to: [DAVE, `rita.eth@${DOMAIN}`, `bob.eth@${DOMAIN}`],
      text,
      attachments: [film, photo],
    });

    const toDave = linksIn(await received(text));
    const toRita = await received(text, rita, roomy);
    const { message: toBob } = await bob.receive(text);
    expect(toDave.map(({ name }) => name)).toEqual([film.filename, 'photo.png']);
    expect(linksIn(toRita).map(({ name }) => name)).toEqual([film.filename]);
    expect(toRita.attachments!.map(({ name }) => name)).toEqual(['photo.png']);
    expect(linksIn(toBob)).toEqual([]);
    expect(toBob.attachments).toHaveLength(2);
    expect(linksIn(toRita)[0]!.key).not.toBe(toDave[0]!.key);
    await roomy.stop();
  });

  it('is kept once when it comes twice', async () => {
    const mail = {
      messageId: '<twice@example.org>',
      date: new Date(0),
      text: 'Said twice.',
      attachments: [film],
      baseBoundary: 'fixed',
    };
    for (let time = 0; time < 2; time += 1) await sendMail(gateway, { to: DAVE, ...mail });
    await received('Said twice.');
    expect(await filesKept()).toBe(1);
  });

  it('leaves nothing to read in the database, while it waits and afterwards', async () => {
    service.mood = 'fails';
    const [content, filename] = [
      Buffer.from('Geheimrezept für Apfelkuchen '.repeat(40_000)),
      'Grossmutters Rezept.pdf',
    ];
    const before = service.attempts.length;
    await sendMail(gateway, { to: DAVE, text: 'Psst.', attachments: [{ filename, content }] });
    await eventually('an attempt', async () => service.attempts.length > before);
    const waiting = await everything();
    service.mood = 'takes';
    const [link] = linksIn(await received('Psst.'));
    const id = link!.url.split(/[/#]/).at(-2)!;
    const secrets = new Map<string, Secret>([
      ['file name', filename],
      ['content', 'Geheimrezept'],
      ['id as text', id],
      ['id', Buffer.from(id, 'hex')],
      ['key as text', link!.key],
      ['key', Buffer.from(link!.key, 'hex')],
    ]);
    for (const value of [...waiting, ...(await everything())]) expect(secretsIn(value, secrets)).toEqual([]);
  });
});

/** Every row of the tables that a message with files touches. */
async function everything(): Promise<(string | Buffer)[]> {
  const tables = ['attachment', 'attachment_chunk', 'message', 'conversation', 'message_map', 'seen', 'outbox_item'];
  const rows = await Promise.all(
    tables.map((table) => gateway.db.query<Record<string, unknown>>(`SELECT * FROM ${table}`)),
  );
  return rows
    .flat()
    .flatMap((row) => Object.values(row).map((value) => (Buffer.isBuffer(value) ? value : JSON.stringify(value))));
}

describe('What the store does not take', () => {
  const refusal = (mail: SendMailOptions) =>
    sendMail(gateway, { to: DAVE, text: 'Too much.', ...mail }).then(
      () => 'taken',
      (error: Error & { response?: string }) => error.response ?? error.message,
    );

  it('is refused with the file’s name, its size, and the limit', async () => {
    const attachments = [{ filename: 'huge.iso', content: Buffer.alloc(8_000_001) }];
    expect(await refusal({ attachments })).toMatch(/^552 5\.3\.4 .*huge\.iso has 8000001 bytes\. .* 8000000 bytes/);
    expect(await filesKept()).toBe(0);
  });

  it('is refused where the files of a message are too many', async () => {
    const attachments = ['a', 'b', 'c'].map((filename) => ({ filename, content: Buffer.alloc(5_000_000) }));
    expect(await refusal({ attachments })).toMatch(/^552 5\.3\.4 .*15000000 bytes .* 12000000 bytes/);
  });

  it('may come another day where a receiver has had much', async () => {
    await delivered({ attachments: [clip] });
    await gateway.db.query('UPDATE attachment SET size = 16000000');
    expect(await refusal({ attachments: [film] })).toMatch(/^451 4\.\S+ More than 20000000 bytes .* tomorrow/);
    expect(await filesKept()).toBe(1);
    await gateway.db.query(`UPDATE attachment SET created_at = now() - interval '25 hours'`);
    expect(await refusal({ attachments: [film] })).toBe('taken');
  });

  it('may come later where all room is taken', async () => {
    await gateway.db.query(
      `INSERT INTO attachment (id_key, receiver_key, size, expires_at) VALUES ('x', 'y', 59000000, now() + interval '1 day')`,
    );
    expect(await refusal({ attachments: [film] })).toMatch(/^451 4\.\S+ Large files of others take all the room/);
    expect(await filesKept()).toBe(1);
  });
});

describe('The ciphertext', () => {
  it('is served whole and in ranges, and says so without being sent', async () => {
    const { dataUrl } = await linkTo();
    const whole = await bytesOf(dataUrl);
    const head = await ask(dataUrl, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), head.headers.get('accept-ranges'), head.text]).toEqual([
      200,
      String(whole.length),
      'bytes',
      '',
    ]);
    const size = whole.length;
    const ranges = [
      [0, 0],
      [0, HEAD_BYTES - 1],
      [HEAD_BYTES - 1, HEAD_BYTES],
      [HEAD_BYTES, HEAD_BYTES],
      [1_000, 300_000],
      [HEAD_BYTES + 262_160 - 1, HEAD_BYTES + 262_160],
      [size - 1, size - 1],
      [3, size - 1],
    ] as const;
    for (const [from, to] of ranges) {
      const response = await fetch(dataUrl, { headers: { range: `bytes=${from}-${to}` } });
      expect([response.status, response.headers.get('content-range')]).toEqual([206, `bytes ${from}-${to}/${size}`]);
      expect(response.headers.get('content-length')).toBe(String(to - from + 1));
      expect(Buffer.from(await response.arrayBuffer()).equals(whole.subarray(from, to + 1))).toBe(true);
    }
    expect((await bytesOf(dataUrl, { range: 'bytes=-20' })).equals(whole.subarray(-20))).toBe(true);
    const beyond = await ask(dataUrl, { headers: { range: `bytes=${size}-` } });
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, `bytes */${size}`]);
    const [several, unfit] = ['bytes=0-1,4-5', 'bytes=5-1'].map((range) => ask(dataUrl, { headers: { range } }));
    expect([(await several!).status, (await unfit!).status]).toEqual([200, 200]);
  });

  it('may be kept by its reader’s browser alone, and asked for again by its tag', async () => {
    const { dataUrl } = await linkTo();
    const first = await ask(dataUrl, { method: 'HEAD' });
    expect(first.headers.get('cache-control')).toBe('private, max-age=3600');
    const etag = first.headers.get('etag')!;
    expect((await ask(dataUrl, { headers: { 'if-none-match': etag } })).status).toBe(304);
    const range = 'bytes=0-9';
    expect((await ask(dataUrl, { headers: { range, 'if-range': etag } })).status).toBe(206);
    expect((await ask(dataUrl, { headers: { range, 'if-range': '"other"' } })).status).toBe(200);
    await gateway.db.query(`UPDATE attachment SET expires_at = now() + interval '100 seconds'`);
    const [, seconds] = /^private, max-age=(\d+)$/.exec((await ask(dataUrl)).headers.get('cache-control')!)!;
    expect(Number(seconds)).toBeLessThanOrEqual(100);
  });

  it('and its page are for nobody else: no type, no frame, no index, no referrer, nothing from elsewhere', async () => {
    const { url, dataUrl } = await linkTo();
    const [page, data] = [await ask(url), await ask(dataUrl, { method: 'HEAD' })];
    for (const { headers } of [page, data]) {
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('x-robots-tag')).toMatch(/noindex/);
      expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; .*frame-ancestors 'none'/);
    }
    expect(page.headers.get('content-security-policy')).not.toMatch(/unsafe|\*|http/);
    expect(page.text).not.toMatch(/<script(?! type="module" src="open\.js"><)|<style|\son\w+=|style=/);
    expect(data.headers.get('content-type')).toBe('application/octet-stream');
    expect(data.headers.get('content-disposition')).toMatch(/^attachment/);
  });
});

describe('A link', () => {
  it('that never was one leads to a page that says so', async () => {
    for (const id of ['0'.repeat(32), 'x', '%00', '..%2f..%2fetc', 'open.ts', "'; DROP TABLE attachment"]) {
      const { status, type, text, headers } = await ask(`${gateway.url}/a/${id}`);
      expect([id, status, type]).toEqual([id, 404, 'text/html; charset=utf-8']);
      expect(text).toContain('There is no file behind this link');
      expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'/);
      expect((await ask(`${gateway.url}/a/${id}/data`)).status).toBe(404);
    }
  });

  it('is good for its time, then says that this is over, and the file goes', async () => {
    const { url, dataUrl } = await linkTo();
    expect((await ask(url)).status).toBe(200);
    await expireAll();
    for (const each of [url, dataUrl]) {
      const { status, text } = await ask(each, { headers: { range: 'bytes=0-9' } });
      expect(status).toBe(410);
      expect(text).toContain('the time of this one is over');
    }
    await gateway.running.app.get(Maintenance).run();
    expect(await filesKept()).toBe(0);
    expect(await gateway.db.query('SELECT 1 FROM attachment_chunk')).toEqual([]);
    expect((await ask(url)).status).toBe(404);
  });

  it('that is still good is not purged', async () => {
    const link = await linkTo();
    await gateway.running.app.get(Maintenance).run();
    expect((await unsealed(link)).content.equals(CLIP)).toBe(true);
  });
});

describe('Switched off', () => {
  let off: TestGateway;
  let small: ForeignService;
  beforeAll(async () => {
    off = await TestGateway.create({ dns: exampleDns, settings: { attachments: { requestsPerMinute: 5 } } });
    small = await startForeignService(off, { name: 'ds.small.eth', sizeLimit: LIMIT });
    await off.addPerson('dave.eth', { deliveryService: small.name });
  });
  afterAll(async () => {
    await off.stop();
    await small.stop();
  });

  it('what does not fit is refused, naming the limit', async () => {
    const photo = { filename: 'photo.png', content: randomBytes(150_000) };
    for (const attachments of [[photo], [film]]) {
      const sending = sendMail(off, { to: DAVE, text: 'Hi', attachments });
      await expect(sending).rejects.toMatchObject({
        response: expect.stringMatching(/^552 5\.3\.4 .*(takes 100000 bytes at most|more than 1348576 bytes)/),
      });
    }
  });

  it('and whoever asks for too much has to wait', async () => {
    const url = `${off.url}/a/${'0'.repeat(32)}`;
    for (let times = 0; times < 5; times += 1) expect((await ask(url)).status).toBe(404);
    const { status, headers, text } = await ask(url);
    expect(status).toBe(429);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(text).toContain('Too many requests');
  });
});

describeWithPeer('chromium', 'The page behind a link', (program) => {
  let browser: TestBrowser;
  beforeAll(async () => void (browser = await TestBrowser.start(program)));
  afterAll(() => browser.stop());

  const click = { name: 'Download' };
  const status = 'status';

  it('shows what the file is, and saves it whole', async () => {
    const { url } = await linkTo(film);
    const { page, complaints, requests } = await browser.visit(url, { acceptDownloads: true });
    await page.getByText('Film vom Sommer 🎬.mp4').waitFor();
    await page.getByText('5.2 MB').waitFor();
    await page.getByText('video/mp4').waitFor();
    const downloading = page.waitForEvent('download');
    await page.getByRole('button', click).click();
    const download = await downloading;
    expect(download.suggestedFilename()).toBe('Film vom Sommer 🎬.mp4');
    expect(readFileSync(await download.path()).equals(FILM)).toBe(true);
    await page.getByText('Done.').waitFor();
    expect(complaints).toEqual([]);
    const places = requests.map((each) => new URL(each)).filter(({ protocol }) => protocol === 'http:');
    expect(new Set(places.map(({ origin }) => origin))).toEqual(new Set([gateway.url]));
    await page.context().close();
  });

  it('hands out bytes and no page of the sender’s', async () => {
    const html = '<script>document.title = "run"; parent.ran = true</script>';
    const page = `${html}${' '.repeat(200_000)}`;
    const { url } = await linkTo({ filename: 'invoice.html', content: Buffer.from(page), contentType: 'text/html' });
    const visit = await browser.visit(url, { acceptDownloads: true });
    const downloading = visit.page.waitForEvent('download');
    await visit.page.getByRole('button', click).click();
    expect(readFileSync(await (await downloading).path(), 'utf8')).toBe(page);
    const href = await visit.page.locator('#save').getAttribute('href');
    const type = await visit.page.evaluate(`new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open('HEAD', ${JSON.stringify(href)});
      request.onerror = () => resolve('blocked');
      request.onload = () => resolve(request.getResponseHeader('content-type'));
      request.send();
    })`);
    expect(['blocked', 'application/octet-stream']).toContain(type);
    const opening = visit.page.waitForEvent('download');
    await visit.page.locator('#save').click({ modifiers: [] });
    expect((await opening).suggestedFilename()).toBe('invoice.html');
    expect(await visit.page.title()).toBe('invoice.html');
    await visit.page.context().close();
  });

  it.each([
    ['a wrong key', (url: string) => url.replace(/#.*/, `#${'ab'.repeat(32)}`), /does not fit this file/],
    ['half a key', (url: string) => url.slice(0, -9), /The link is incomplete/],
    ['no key', (url: string) => url.replace(/#.*/, ''), /The link is incomplete/],
  ])('says in words what is wrong with %s', async (_, spoil, words) => {
    const { url } = await linkTo();
    const { page } = await browser.visit(spoil(url));
    await page.getByRole('heading', { name: 'The file cannot be opened' }).waitFor();
    expect(await page.getByRole(status).textContent()).toMatch(words);
    expect(await page.getByRole('button', click).isVisible()).toBe(false);
    await page.context().close();
  });

  it('saves nothing of a file that was changed', async () => {
    const { url } = await linkTo();
    const sql = `UPDATE attachment_chunk SET ciphertext = set_byte(ciphertext, 9, get_byte(ciphertext, 9) # 1)
      WHERE position = 4`;
    await gateway.db.query(sql);
    const { page } = await browser.visit(url, { acceptDownloads: true });
    const downloads: unknown[] = [];
    page.on('download', (download) => void downloads.push(download));
    await page.getByRole('button', click).click();
    await page.getByText('The file was damaged or changed, so nothing was saved.').waitFor();
    expect(downloads).toEqual([]);
    await page.context().close();
  });

  it('goes on where a connection broke', async () => {
    const { url, dataUrl } = await linkTo();
    const sealed = await bytesOf(dataUrl);
    const broken = HEAD_BYTES + 3 * 262_160 + 1_000;
    const { page } = await browser.visit(url, { acceptDownloads: true });
    const ranges: string[] = [];
    await page.route('**/data', async (route) => {
      ranges.push((await route.request().allHeaders())['range']!);
      if (ranges.length > 1) return route.continue();
      return route.fulfill({ status: 206, body: sealed.subarray(HEAD_BYTES, broken) });
    });
    const downloading = page.waitForEvent('download');
    await page.getByRole('button', click).click();
    expect(readFileSync(await (await downloading).path()).equals(CLIP)).toBe(true);
    expect(ranges).toEqual([`bytes=${HEAD_BYTES}-`, `bytes=${HEAD_BYTES + 3 * 262_160}-`]);
    await page.context().close();
  });

  it('says that the time is over, before and while it is open', async () => {
    const { url } = await linkTo();
    const { page } = await browser.visit(url);
    await page.getByRole('button', click).waitFor();
    await expireAll();
    await page.getByRole('button', click).click();
    await page.getByText('The file is no longer here').waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'This file is no longer here' }).waitFor();
    await page.context().close();
  });

  it('is readable on a phone', async () => {
    const { url } = await linkTo({ filename: `${'very_long_'.repeat(15)}name.pdf` });
    const { page } = await browser.visit(url, { viewport: { width: 320, height: 640 }, isMobile: true });
    await page.getByRole('button', click).waitFor();
    const wide = await page.evaluate('document.documentElement.scrollWidth');
    expect(wide).toBeLessThanOrEqual(320);
    await page.context().close();
  });
});
