import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { SendMailOptions } from 'nodemailer';
import { HEAD_BYTES } from '../src/gateway/attachments/page/unseal.js';
import { Maintenance } from '../src/gateway/maintenance.js';
import { FakeNetwork } from './contract/fake-network.js';
import { AttachmentWorld, bytesOf, CLIP, clip, DAVE, FILM, film, LIMIT, unsealed } from './support/attachment-world.js';
import { RealClient } from './support/dm3-lib.js';
import { eventually } from './support/eventually.js';
import { startForeignService, type ForeignService } from './support/foreign-service.js';
import { ask } from './support/http-answer.js';
import { linksIn } from './support/linked-files.js';
import { exampleDns, sendMail } from './support/mail.js';
import { secretsIn, type Secret } from './support/secrets.js';
import { DOMAIN, TestGateway } from './support/test-gateway.js';

/** Takes 1,000 bytes of attachments. */
const fake = new FakeNetwork();

let world: AttachmentWorld;
let gateway: TestGateway;
let service: ForeignService;

beforeAll(async () => {
  world = await AttachmentWorld.create({ adapters: [{ adapter: fake, codec: fake.codec }] });
  ({ gateway, service } = world);
});
afterAll(() => world.stop());
afterEach(() => world.empty());

describe('A mail with more than the receiver’s delivery service takes', () => {
  it('arrives with a link in place of the file, signed, and within the limit', async () => {
    const { message, links } = await world.delivered();
    expect(await world.dave.isSignedBySender({ message })).toBe(true);
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
    const { message, links } = await world.delivered({ attachments: [note, photo, film] });
    expect(links.map(({ name }) => name)).toEqual([film.filename, 'photo.png']);
    expect(message.attachments).toEqual([
      { name: 'note.txt', data: `data:text/plain;base64,${Buffer.from('small').toString('base64')}` },
    ]);
    expect((await unsealed(links[1]!)).content.equals(photo.content)).toBe(true);
  });

  it('arrives with the beginning of a text that is too long, and a link to all of it', async () => {
    const text = 'The grass is tall. '.repeat(9_000);
    const { message, links } = await world.delivered({ text, attachments: [{ filename: 'a.txt', content: 'small' }] });
    expect(message.message).toMatch(/^\*\*Hello\*\*\n\nMail number \d+\.\n\nThe grass is tall\. /);
    expect(message.message!.length).toBeLessThan(2_600);
    expect(links).toMatchObject([{ name: 'message.txt', size: '171 KB' }]);
    expect((await unsealed(links[0]!)).content.toString()).toContain(text.trim());
    expect(message.attachments).toHaveLength(1);
  });

  it('gives each receiver what fits for him', async () => {
    const roomy = await startForeignService(gateway, { name: 'ds.roomy.eth', sizeLimit: 1_000_000 });
    const rita = await RealClient.create(gateway, await world.addPerson('rita.eth', roomy.name));
    const bob = await RealClient.create(gateway, gateway.bob);
    const photo = { filename: 'photo.png', content: randomBytes(300_000), contentType: 'image/png' };
    const text = 'To each his own.';
    await sendMail(gateway, {
      to: [DAVE, `rita.eth@${DOMAIN}`, `bob.eth@${DOMAIN}`],
      text,
      attachments: [film, photo],
    });

    const toDave = linksIn((await world.received(text)).message!);
    const toRita = await world.received(text, rita, roomy);
    const { message: toBob } = await bob.receive(text);
    expect(toDave.map(({ name }) => name)).toEqual([film.filename, 'photo.png']);
    expect(linksIn(toRita.message!).map(({ name }) => name)).toEqual([film.filename]);
    expect(toRita.attachments!.map(({ name }) => name)).toEqual(['photo.png']);
    expect(linksIn(toBob.message!)).toEqual([]);
    expect(toBob.attachments).toHaveLength(2);
    expect(linksIn(toRita.message!)[0]!.key).not.toBe(toDave[0]!.key);
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
    await world.received('Said twice.');
    expect(await world.filesKept()).toBe(1);
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
    const [link] = linksIn((await world.received('Psst.')).message!);
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
    expect(await world.filesKept()).toBe(0);
  });

  it('is refused where the files of a message are too many', async () => {
    const attachments = ['a', 'b', 'c'].map((filename) => ({ filename, content: Buffer.alloc(5_000_000) }));
    expect(await refusal({ attachments })).toMatch(/^552 5\.3\.4 .*15000000 bytes .* 12000000 bytes/);
  });

  it('may come another day where a receiver has had much', async () => {
    await world.delivered({ attachments: [clip] });
    await gateway.db.query('UPDATE attachment SET size = 16000000');
    expect(await refusal({ attachments: [film] })).toMatch(/^451 4\.\S+ More than 20000000 bytes .* tomorrow/);
    expect(await world.filesKept()).toBe(1);
    await gateway.db.query(`UPDATE attachment SET created_at = now() - interval '25 hours'`);
    expect(await refusal({ attachments: [film] })).toBe('taken');
  });

  it('may come later where all room is taken', async () => {
    await gateway.db.query(
      `INSERT INTO attachment (id_key, receiver_key, size, expires_at) VALUES ('x', 'y', 59000000, now() + interval '1 day')`,
    );
    expect(await refusal({ attachments: [film] })).toMatch(/^451 4\.\S+ Large files of others take all the room/);
    expect(await world.filesKept()).toBe(1);
  });
});

describe('A dm3 message with more than a foreign network takes', () => {
  it('arrives there with a link in place of the file', async () => {
    const bob = await RealClient.create(gateway, gateway.bob);
    const content = randomBytes(30_000);
    const dataUri = (bytes: Buffer) => `data:image/png;base64,${bytes.toString('base64')}`;
    const attachments = [
      { name: 'photo.png', data: dataUri(content) },
      { name: 'icon.png', data: dataUri(randomBytes(500)) },
    ];
    await bob.send({ to: 'carol.fake.gateway.eth', text: 'Look.', attachments });
    const parcel = await eventually('the message', async () => fake.arrivedFor('carol')[0]);
    expect(parcel.attachments).toEqual(['icon.png']);
    const [link] = linksIn(parcel.text);
    expect(link).toMatchObject({ name: 'photo.png', size: '30 KB' });
    expect((await unsealed(link!)).content.equals(content)).toBe(true);
  });
});

describe('The ciphertext', () => {
  it('is served whole and in ranges, and says so without being sent', async () => {
    const { dataUrl } = await world.linkTo();
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
    const { dataUrl } = await world.linkTo();
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
    const { url, dataUrl } = await world.linkTo();
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
    const { url, dataUrl } = await world.linkTo();
    expect((await ask(url)).status).toBe(200);
    await world.expireAll();
    for (const each of [url, dataUrl]) {
      const { status, text } = await ask(each, { headers: { range: 'bytes=0-9' } });
      expect(status).toBe(410);
      expect(text).toContain('the time of this one is over');
    }
    await gateway.running.app.get(Maintenance).run();
    expect(await world.filesKept()).toBe(0);
    expect(await gateway.db.query('SELECT 1 FROM attachment_chunk')).toEqual([]);
    expect((await ask(url)).status).toBe(404);
  });

  it('that is still good is not purged', async () => {
    const link = await world.linkTo();
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
