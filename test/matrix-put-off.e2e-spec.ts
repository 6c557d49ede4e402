import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { describeWithPeer } from './support/describe-with-peer.js';
import { RealClient } from './support/dm3-lib.js';
import { eventually } from './support/eventually.js';
import { startForeignService, type ForeignService } from './support/foreign-service.js';
import { bridgedRoom, fromRoom } from './support/matrix-rooms.js';
import type { MatrixUser } from './support/matrix-user.js';
import { matrixWorld } from './support/matrix-world.js';

const ATTACHMENTS = {
  enabled: true,
  maxBytes: 200_000,
  maxBytesPerMessage: 200_000,
  receiverBytesPerDay: 260_000,
  quotaBytes: 60_000_000,
};

describeWithPeer('synapse', 'A member of a room who cannot get a message just now', () => {
  const world = matrixWorld({ gateway: { settings: { attachments: ATTACHMENTS } } });
  let service: ForeignService;
  /** Her delivery service takes little: files come to her as links. */
  let carol: RealClient;
  let alice: MatrixUser;
  beforeAll(async () => {
    const { gateway } = world;
    service = await startForeignService(gateway, { name: 'ds.small.eth', sizeLimit: 100_000 });
    const person = await gateway.addPerson('carol.eth', { deliveryService: service.name });
    carol = await RealClient.create(gateway, person);
    alice = await world.somebody();
  }, 60_000);
  afterAll(() => service?.stop());

  const sendFilm = async (room: string, words: string): Promise<void> => {
    const bytes = randomBytes(150_000);
    const url = await alice.upload(bytes, 'video/mp4');
    const info = { mimetype: 'video/mp4', size: bytes.length };
    await alice.say(room, { msgtype: 'm.video', body: words, filename: 'film.mp4', url, info });
  };
  const texts = (messages: readonly { message?: string }[]) =>
    messages.flatMap(({ message = '' }) => /(first|second) film|after them|as before/.exec(message)?.[0] ?? []);
  const heardByBob = async (name: string) => texts((await fromRoom(world.bob, name)).map(({ message }) => message));
  const heardByCarol = async () =>
    texts(await Promise.all(service.envelopes.map((envelope) => carol.openMessage(envelope))));
  const untilCarolHears = (...expected: string[]) =>
    eventually(expected.join(), async () => (await heardByCarol()).join() === expected.join());

  it('holds up nobody: her files of a day are used up, and she gets all in its order when they are not', async () => {
    const { room, name } = await bridgedRoom(alice, 'bob.eth carol.eth');
    await sendFilm(room, 'first film');
    await untilCarolHears('first film');
    await sendFilm(room, 'second film');
    await alice.say(room, 'after them');
    await world.bob.receive('after them');
    expect(await heardByBob(name)).toEqual(['first film', 'second film', 'after them']);
    expect(await heardByCarol()).toEqual(['first film']);
    await world.gateway.db.query('DELETE FROM attachment');
    await untilCarolHears('first film', 'second film', 'after them');
    await alice.say(room, 'as before');
    await untilCarolHears('first film', 'second film', 'after them', 'as before');
    expect((await alice.messages(room)).filter(({ content }) => content.body?.includes('did not reach'))).toEqual([]);
  });
});
