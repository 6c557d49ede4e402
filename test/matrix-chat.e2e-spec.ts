import { beforeEach, expect, it } from '@jest/globals';
import { setText } from '../src/naming/contracts/deploy.js';
import { describeWithPeer } from './support/describe-with-peer.js';
import { eventually } from './support/eventually.js';
import type { MatrixUser } from './support/matrix-user.js';
import { aliasOf, BOB, matrixWorld } from './support/matrix-world.js';

describeWithPeer('synapse', 'A chat between Matrix and dm3', () => {
  const world = matrixWorld();
  let alice: MatrixUser;
  beforeEach(async () => void (alice = await world.somebody()));

  it('that a person on Matrix begins is signed by the ghost of her alias name, and answered in the same room', async () => {
    const { bob } = world;
    const room = await alice.chatWith(BOB);
    const asked = await alice.say(room, 'Good morning, Bob');
    const received = await bob.receive('Good morning, Bob');
    expect(received.message.metadata).toMatchObject({ type: 'NEW', from: aliasOf(alice), to: 'bob.eth' });
    expect(await bob.isSignedBySender(received)).toBe(true);

    await bob.send({ to: aliasOf(alice), text: 'Good **morning**', about: received.hash });
    const answer = await alice.hear(room, 'Good **morning**');
    expect(answer).toMatchObject({
      sender: BOB,
      content: { msgtype: 'm.text', formatted_body: '<p>Good <strong>morning</strong></p>' },
    });
    expect(answer.content['m.relates_to']).toEqual({ 'm.in_reply_to': { event_id: asked } });
    expect(await alice.invitations()).toEqual([]);
    expect(await alice.call('GET', `profile/${BOB}`)).toMatchObject({ displayname: 'bob.eth' });
  });

  it('that a dm3 user begins is one direct chat, however many messages come at once, and goes on in it', async () => {
    const { bob } = world;
    for (const text of ['one', 'two', 'three']) await bob.send({ to: aliasOf(alice), text });
    const [{ invite }] = await eventually('an invitation', async () => {
      const invitations = await alice.invitations();
      return invitations.length === 1 && (invitations as [(typeof invitations)[0]]);
    });
    expect(invite).toMatchObject({ sender: BOB, content: { is_direct: true } });
    const room = await alice.acceptInvitation(BOB);
    const heard = await eventually('all three', async () => {
      const messages = await alice.messages(room, BOB);
      return messages.length === 3 && messages.map(({ content }) => content.body);
    });
    expect(heard).toEqual(['one', 'two', 'three']);
    expect(await alice.invitations()).toEqual([]);
    await alice.say(room, 'I am here');
    await bob.receive('I am here');
    const short = aliasOf(alice).replace('.gateway.eth', '');
    await bob.send({ to: short, text: 'by the short name' }, { lookUp: aliasOf(alice) });
    await alice.hear(room, 'by the short name');
  });

  it('is told apart from another one of the same two: the answer goes where it was asked', async () => {
    const { bob } = world;
    const rooms = [await alice.chatWith(BOB), await alice.chatWith(BOB)];
    for (const [index, room] of rooms.entries()) {
      await alice.say(room, `question ${index}`);
      await bob.receive(`question ${index}`);
    }
    const first = await bob.receive('question 0');
    await bob.send({ to: aliasOf(alice), text: 'to the first', about: first.hash });
    await alice.hear(rooms[0]!, 'to the first');
    expect((await alice.messages(rooms[1]!, BOB)).length).toBe(0);
  });

  it('is declined for names nobody is reached by, with the reason', async () => {
    for (const ghost of ['@dm3_nobody.eth:hs.test', '@dm3_=ff.eth:hs.test']) {
      const room = await alice.createRoom([ghost]);
      const notice = await alice.awaitEvent(room, 'a reason', ({ content }) => content.msgtype === 'm.notice');
      expect(notice.sender).toBe(ghost);
      expect(notice.content.body).toMatch(/nobody\.eth|stands for no ENS name/);
      await alice.untilMember(room, ghost, 'leave');
    }
  });

  it('goes on after she left: the next message invites her again, into the same room', async () => {
    const { bob } = world;
    const room = await alice.chatWith(BOB);
    await alice.say(room, 'bye');
    await bob.receive('bye');
    await alice.leave(room);
    await eventually('the gateway to see it', async () => (await stateOf()).includes('left'));
    await bob.send({ to: aliasOf(alice), text: 'come back' });
    expect(await alice.acceptInvitation(BOB)).toBe(room);
    await alice.hear(room, 'come back');
  });

  it('stays declined when she refuses it, and bob is told; it goes on when she invites the ghost', async () => {
    const { bob } = world;
    await bob.send({ to: aliasOf(alice), text: 'psst' });
    const [{ room }] = await eventually('an invitation', async () => {
      const invitations = await alice.invitations();
      return invitations.length === 1 && (invitations as [(typeof invitations)[0]]);
    });
    await alice.leave(room);
    await eventually('the gateway to see it', async () => (await stateOf()).includes('declined'));
    await bob.send({ to: aliasOf(alice), text: 'please' });
    const notice = await bob.receive(`${alice.id} has declined`);
    expect(notice.message.message).toContain('[dm3-gateway]');
    expect(await alice.invitations()).toEqual([]);

    const own = await alice.chatWith(BOB);
    await bob.send({ to: aliasOf(alice), text: 'at last' });
    await alice.hear(own, 'at last');
  });

  it('is over when she removes the ghost, until she invites it again', async () => {
    const { bob } = world;
    const room = await alice.createRoom([BOB], { preset: 'private_chat' });
    await alice.untilMember(room, BOB, 'join');
    await alice.kick(room, BOB);
    await eventually('the gateway to see it', async () => (await stateOf()).includes('declined'));
    await bob.send({ to: aliasOf(alice), text: 'why?' });
    await bob.receive('removed you from it');
    await alice.invite(room, BOB);
    await alice.untilMember(room, BOB, 'join');
    await bob.send({ to: aliasOf(alice), text: 'thanks' });
    await alice.hear(room, 'thanks');
  });

  it('is left by the ghost when somebody else comes in', async () => {
    const { bob } = world;
    const carol = await world.somebody();
    const room = await alice.chatWith(BOB);
    await alice.say(room, 'between us');
    await bob.receive('between us');
    await alice.invite(room, carol.id);
    await carol.join(room);
    await alice.hear(room, 'I carry chats of two');
    await alice.untilMember(room, BOB, 'leave');
    await bob.send({ to: aliasOf(alice), text: 'only for you' });
    const other = await alice.acceptInvitation(BOB);
    expect(other).not.toBe(room);
    await alice.hear(other, 'only for you');
  });

  it('shows the picture that the ENS name publishes, and changes nothing while that stays', async () => {
    const { gateway } = world;
    const png = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(40, 1)]);
    const dora = await gateway.addPerson('dora.eth', { signUp: true });
    const { plainResolver: resolver } = gateway.world;
    const value = `data:image/png;base64,${png.toString('base64')}`;
    await setText(gateway.deployer, { resolver, name: dora.name, key: 'avatar', value });
    const ghost = '@dm3_dora.eth:hs.test';
    const room = await alice.chatWith(ghost);
    const { avatar_url: url } = await eventually('the picture', async () => {
      const profile = (await alice.call('GET', `profile/${ghost}`)) as { avatar_url?: string };
      return profile.avatar_url !== undefined && (profile as { avatar_url: string });
    });
    expect(Buffer.from(await alice.download(url)).equals(png)).toBe(true);
    await alice.say(room, 'nice picture');
    const other = await alice.chatWith(ghost);
    expect((await alice.timeline(other)).filter(({ state_key }) => state_key === ghost).length).toBe(2); // invited, joined
  });

  it('does not begin with somebody who is not there: the sender is told', async () => {
    await world.bob.send({ to: 'nobody._at.hs.test.matrix.gateway.eth', text: 'hello?' });
    await world.bob.receive('There is no @nobody:hs.test');
  });

  /** States of all chats: what the tests wait for before they go on. */
  async function stateOf(): Promise<string[]> {
    const sql = 'SELECT state FROM matrix_room ORDER BY created_at DESC LIMIT 1';
    return (await world.gateway.db.query<{ state: string }>(sql)).map(({ state }) => state);
  }
});
