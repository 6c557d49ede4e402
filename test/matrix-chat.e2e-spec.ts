import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { describeWithPeer } from './support/describe-with-peer.js';
import { RealClient } from './support/dm3-lib.js';
import { eventually } from './support/eventually.js';
import type { MatrixUser } from './support/matrix-user.js';
import { SYNAPSE_PATIENCE_MS, SynapseWorld } from './support/synapse.js';
import { TestGateway } from './support/test-gateway.js';

const BOB = '@dm3_bob.eth:hs.test';

describeWithPeer('synapse', 'Chats between Matrix and dm3', () => {
  let synapse: SynapseWorld;
  let gateway: TestGateway;
  let bob: RealClient;
  let alice: MatrixUser;
  let users = 0;

  beforeAll(async () => {
    synapse = await SynapseWorld.start();
    gateway = await TestGateway.create({ httpPort: synapse.gatewayPort, matrix: synapse.config });
    bob = await RealClient.create(gateway, gateway.bob);
  }, SYNAPSE_PATIENCE_MS);
  afterAll(async () => {
    await gateway?.stop();
    await synapse?.stop();
  });

  /** Somebody who has never written to anybody. */
  const somebody = () => synapse.user(`user${++users}`);
  const nameOf = (user: MatrixUser) => `${user.id.slice(1, user.id.indexOf(':'))}._at.hs.test.matrix.gateway.eth`;

  describe('that a person on Matrix begins', () => {
    it('reach the dm3 user, signed by the ghost that the person’s alias name stands for, and come back', async () => {
      alice = await somebody();
      const room = await alice.chatWith(BOB);
      await alice.say(room, 'Good morning, Bob');
      const received = await bob.receive('Good morning, Bob');
      expect(received.message.metadata).toMatchObject({ type: 'NEW', from: nameOf(alice), to: 'bob.eth' });
      expect(await bob.isSignedBySender(received)).toBe(true);

      await bob.send({ to: nameOf(alice), text: 'Good **morning**', about: received.hash });
      const answer = await alice.hear(room, 'Good **morning**');
      expect(answer).toMatchObject({
        sender: BOB,
        content: { msgtype: 'm.text', formatted_body: '<p>Good <strong>morning</strong></p>' },
      });
      expect(answer.content['m.relates_to'] as object).toEqual({ 'm.in_reply_to': { event_id: expect.any(String) } });
      expect(await alice.invitations()).toEqual([]);
    });
  });

  describe('that a dm3 user begins', () => {
    it('open one direct chat, however many messages come at once, and go on in it', async () => {
      alice = await somebody();
      const texts = ['one', 'two', 'three'];
      for (const text of texts) await bob.send({ to: nameOf(alice), text });
      const room = await alice.acceptInvitation(BOB);
      const [first, , third] = await eventually('all three', async () => {
        const messages = await alice.messages(room, BOB);
        return messages.length === 3 && messages;
      });
      expect(first!.content.body).toBe('one');
      expect(third!.content.body).toBe('three');
      expect(await alice.invitations()).toEqual([]);
      await alice.say(room, 'I am here');
      await bob.receive('I am here');
    });
  });
});
