import { randomBytes } from 'node:crypto';
import { beforeEach, expect, it } from '@jest/globals';
import { describeWithPeer } from './support/describe-with-peer.js';
import type { MatrixUser } from './support/matrix-user.js';
import { aliasOf, BOB, matrixWorld } from './support/matrix-world.js';

const LIMIT = 1_048_576;
/** A PNG as far as anybody on the way can tell: its signature, and bytes of every kind. */
const png = (size: number) => Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), randomBytes(size - 8)]);

describeWithPeer('synapse', 'Files between Matrix and dm3', () => {
  const world = matrixWorld({
    synapse: { maxUploadBytes: LIMIT },
    gateway: {},
    matrix: { maxMediaBytes: 500_000 },
  });
  let alice: MatrixUser;
  let room: string;
  beforeEach(async () => {
    alice = await world.somebody();
    room = await alice.chatWith(BOB);
  });

  const upload = async (bytes: Uint8Array, more: object = {}) => {
    const url = await alice.upload(bytes, 'image/png');
    const info = { mimetype: 'image/png', size: bytes.length };
    return alice.say(room, { msgtype: 'm.image', body: 'cat.png', url, info, ...more });
  };

  it('from Matrix arrive byte for byte, with name, type and caption', async () => {
    const bytes = png(100_000);
    await upload(bytes, { filename: 'cat.png', body: 'look at **this**' });
    const { message } = await world.bob.receive('look at **this**');
    const [attachment] = message.attachments as unknown as { name: string; data: string }[];
    expect(attachment!.name).toBe('cat.png');
    expect(attachment!.data).toBe(`data:image/png;base64,${bytes.toString('base64')}`);
  });

  it('from dm3 arrive byte for byte, beside the text', async () => {
    const bytes = png(100_000);
    const data = `data:image/png;base64,${bytes.toString('base64')}`;
    const attachments = [
      { name: 'dog.png', data },
      { name: 'page', data: 'https://example.org/' },
    ];
    await world.bob.send({ to: aliasOf(alice), text: 'two things', attachments: attachments as never });
    const text = await alice.hear(room, 'two things');
    expect(text.content.body).toContain('https://example.org/');
    const file = await alice.hear(room, 'dog.png');
    expect(file.content).toMatchObject({ msgtype: 'm.image', info: { mimetype: 'image/png', size: bytes.length } });
    expect(Buffer.from(await alice.download(file.content['url'] as string)).equals(bytes)).toBe(true);
  });

  it('that are too large are refused with name, size and limit, whatever their sender says of the size', async () => {
    const event = await upload(png(600_000));
    const notice = await alice.hear(room, 'The file "cat.png" has 600.0 kB or more, and 500.0 kB');
    expect(notice.content).toMatchObject({
      msgtype: 'm.notice',
      'm.relates_to': { 'm.in_reply_to': { event_id: event } },
    });
    await upload(png(600_001), { body: 'liar.png', info: { mimetype: 'image/png', size: 10 } });
    await alice.hear(room, 'The file "liar.png"');
    await alice.say(room, 'after the files');
    await world.bob.receive('after the files');
  });

  it('that the homeserver does not take come back to bob as a notice, and nothing of the message crosses', async () => {
    const data = `data:image/png;base64,${png(LIMIT + 1_000).toString('base64')}`;
    await world.bob.send({ to: aliasOf(alice), text: 'a big one', attachments: [{ name: 'big.png', data }] as never });
    const { message } = await world.bob.receive('The file "big.png"');
    expect(message.message).toMatch(/has 1\.0 MB, and the homeserver takes 1\.0 MB at most/);
    expect(await alice.messages(room, BOB)).toEqual([]);
  });

  it('that are not there any more are told, and hold up nobody', async () => {
    await alice.say(room, { msgtype: 'm.file', body: 'gone.txt', url: 'mxc://hs.test/doesnotexist', info: {} });
    await alice.hear(room, 'did not reach bob.eth');
    await alice.say(room, 'still here');
    await world.bob.receive('still here');
  });
});
