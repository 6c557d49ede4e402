import { expect, it } from '@jest/globals';
import { describeWithPeer } from './support/describe-with-peer.js';
import { aliasOf, BOB, matrixWorld } from './support/matrix-world.js';

/** Synapse's default: so many at once, then one in five seconds. */
const AT_ONCE = 10;
const PAUSE_MS = 5_000;

describeWithPeer('synapse', 'A homeserver that limits its ghosts as Synapse does by default', () => {
  const world = matrixWorld({ synapse: { rateLimits: 'default' } });

  it('gets every message once and in order, as slowly as it asks, and other people are served meanwhile', async () => {
    const [alice, carol] = [await world.somebody(), await world.somebody()];
    const texts = Array.from({ length: AT_ONCE + 2 }, (_, index) => `patience ${index}`);
    for (const text of texts) await world.bob.send({ to: aliasOf(alice), text });
    const room = await alice.acceptInvitation(BOB);
    const other = await carol.chatWith(BOB);
    await carol.say(other, 'not limited');
    await world.bob.receive('not limited');

    for (const text of texts) await alice.hear(room, text);
    const heard = await alice.messages(room, BOB);
    expect(heard.map(({ content }) => content.body)).toEqual(texts);
    // By the homeserver's own clock: the limit was in force, or this test would show nothing.
    expect(heard.at(-1)!.origin_server_ts - heard[0]!.origin_server_ts).toBeGreaterThanOrEqual(PAUSE_MS);
    expect(await alice.invitations()).toEqual([]);
  }, 120_000);
});
