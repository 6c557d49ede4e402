import { beforeEach, describe, expect, it } from '@jest/globals';
import { describeWithPeer } from './support/describe-with-peer.js';
import { eventually } from './support/eventually.js';
import type { MatrixUser } from './support/matrix-user.js';
import { aliasOf, BOB, matrixWorld } from './support/matrix-world.js';
import type { Received } from './support/dm3-lib.js';

describeWithPeer('synapse', 'What is said between Matrix and dm3', () => {
  const world = matrixWorld();
  let alice: MatrixUser;
  let room: string;
  beforeEach(async () => {
    alice = await world.somebody();
    room = await alice.chatWith(BOB);
  });

  const write = async (text: string, more: object = {}): Promise<Received> => {
    await world.bob.send({ to: aliasOf(alice), text, ...more });
    return undefined as never;
  };
  /** Waits for a message of a type that is about another one. */
  const receiveType = (type: string, about: string): Promise<Received> =>
    eventually(`${type} for bob`, async () =>
      (await world.bob.incoming()).find(
        ({ message: { metadata } }) => metadata.type === type && metadata.referenceMessageHash === about,
      ),
    );

  describe('by alice', () => {
    it('is edited, answered, reacted to and deleted', async () => {
      const { bob } = world;
      const said = await alice.say(room, 'I am fien');
      const first = await bob.receive('I am fien');
      const relation = { rel_type: 'm.replace', event_id: said };
      const fresh = { msgtype: 'm.text', body: 'I am fine' };
      await alice.say(room, { ...fresh, body: '* I am fine', 'm.new_content': fresh, 'm.relates_to': relation });
      expect((await receiveType('EDIT', first.hash)).message.message).toBe('I am fine');

      const reply = { 'm.in_reply_to': { event_id: said } };
      const body = `> <${alice.id}> I am fien\n\nand you?`;
      await alice.say(room, { msgtype: 'm.text', body, 'm.relates_to': reply });
      expect((await receiveType('REPLY', first.hash)).message.message).toBe('and you?');

      const liked = { rel_type: 'm.annotation', event_id: said, key: '👍' };
      const reaction = await alice.say(room, { 'm.relates_to': liked }, 'm.reaction');
      const like = await receiveType('REACTION', first.hash);
      expect(like.message.message).toBe('👍');

      await alice.redact(room, reaction);
      await receiveType('DELETE_REQUEST', like.hash);
      await alice.redact(room, said);
      await receiveType('DELETE_REQUEST', first.hash);
    });

    it('in a thread is answered in the thread', async () => {
      const root = await alice.say(room, 'the root');
      await world.bob.receive('the root');
      const thread = {
        rel_type: 'm.thread',
        event_id: root,
        is_falling_back: true,
        'm.in_reply_to': { event_id: root },
      };
      const threaded = await alice.say(room, { msgtype: 'm.text', body: 'in the thread', 'm.relates_to': thread });
      const received = await world.bob.receive('in the thread');
      expect(received.message.metadata.type).toBe('REPLY');
      await write('also in the thread', { about: received.hash });
      const answer = await alice.hear(room, 'also in the thread');
      expect(answer.content['m.relates_to']).toMatchObject({
        rel_type: 'm.thread',
        event_id: root,
        'm.in_reply_to': { event_id: threaded },
      });
    });

    it('comes as markdown, with names in place of links to people', async () => {
      const formatted_body = `<mx-reply>old</mx-reply><p><b>Hi</b> <a href="https://matrix.to/#/${BOB}">Bob</a></p><script>alert(1)</script>`;
      await alice.say(room, { msgtype: 'm.text', body: 'Hi Bob', format: 'org.matrix.custom.html', formatted_body });
      expect((await world.bob.receive('Hi')).message.message).toBe('**Hi** bob.eth');
    });

    it('that dm3 has no word for is readable text', async () => {
      await alice.say(room, { msgtype: 'm.location', body: 'the harbour', geo_uri: 'geo:53.5,9.9' });
      await world.bob.receive('Location: the harbour (geo:53.5,9.9)');
      await alice.say(room, { msgtype: 'org.example.quiz', body: 'Who am I?' });
      await world.bob.receive('[org.example.quiz] Who am I?');
      const answers = [
        { id: '1', 'org.matrix.msc1767.text': 'tea' },
        { id: '2', 'org.matrix.msc1767.text': 'coffee' },
      ];
      const start = { question: { 'org.matrix.msc1767.text': 'What?' }, answers };
      await alice.say(room, { 'org.matrix.msc3381.poll.start': start }, 'org.matrix.msc3381.poll.start');
      await world.bob.receive('Poll: What?\n- tea\n- coffee');
      await alice.say(room, { body: 'wave', url: 'not a file', info: {} }, 'm.sticker');
      await world.bob.receive('[Sticker: wave]');
      await alice.say(room, { msgtype: 'm.emote', body: 'waves' });
      await world.bob.receive('* waves');
    });

    it('by a machine stays where it is', async () => {
      await alice.say(room, { msgtype: 'm.notice', body: 'beep' });
      await alice.say(room, 'after the beep');
      await world.bob.receive('after the beep');
      const texts = (await world.bob.incoming()).map(({ message }) => message.message);
      expect(texts).not.toContain('beep');
    });

    it('is not changed by anybody else', async () => {
      await write('by bob');
      const his = await alice.hear(room, 'by bob');
      await alice.redact(room, his.event_id); // she may in her own room
      const fresh = { msgtype: 'm.text', body: 'forged' };
      const relation = { rel_type: 'm.replace', event_id: his.event_id };
      await alice.say(room, { ...fresh, 'm.new_content': fresh, 'm.relates_to': relation });
      await alice.say(room, 'after the forgery');
      await world.bob.receive('after the forgery');
      const types = (await world.bob.incoming())
        .filter(({ message }) => message.metadata.from === aliasOf(alice))
        .map(({ message }) => message.metadata.type);
      expect(types).toEqual(['NEW']);
    });

    it('is confirmed when she has read it, and when bob has', async () => {
      const { hash } = await world.bob.send({ to: aliasOf(alice), text: 'have you read this?' });
      const event = await alice.hear(room, 'have you read this?');
      await alice.markRead(room, event.event_id);
      await receiveType('READ_OPENED', hash);

      const said = await alice.say(room, 'and you, this?');
      const received = await world.bob.receive('and you, this?');
      await write('', { type: 'READ_OPENED', about: received.hash });
      await eventually('the receipt', async () => (await alice.receipts(room))[said]?.includes(BOB));
    });
  });

  describe('by bob', () => {
    it('is edited, reacted to and deleted', async () => {
      const sent = await world.bob.send({ to: aliasOf(alice), text: 'I am fien' });
      const first = await alice.hear(room, 'I am fien');
      await write('I am **fine**', { type: 'EDIT', about: sent.hash });
      const edit = await alice.hear(room, '* I am **fine**');
      expect(edit.content).toMatchObject({
        'm.relates_to': { rel_type: 'm.replace', event_id: first.event_id },
        'm.new_content': { body: 'I am **fine**', formatted_body: '<p>I am <strong>fine</strong></p>' },
      });

      const asked = await alice.say(room, 'really?');
      const question = await world.bob.receive('really?');
      await write('👍', { type: 'REACTION', about: question.hash });
      const reaction = await alice.awaitEvent(room, 'a reaction', ({ type }) => type === 'm.reaction');
      expect(reaction.content['m.relates_to']).toEqual({ rel_type: 'm.annotation', event_id: asked, key: '👍' });

      await write('', { type: 'DELETE_REQUEST', about: sent.hash });
      await alice.awaitEvent(room, 'a redaction', ({ type }) => type === 'm.room.redaction');
      await eventually('it to be gone', async () =>
        (await alice.timeline(room)).some(
          ({ event_id, unsigned }) => event_id === first.event_id && unsigned?.redacted_because,
        ),
      );
    });

    it('cannot change what alice said: he is told', async () => {
      await alice.say(room, 'my own words');
      const hers = await world.bob.receive('my own words');
      await write('other words', { type: 'EDIT', about: hers.hash });
      await world.bob.receive('Only the author');
      expect((await alice.messages(room, BOB)).length).toBe(0);
    });

    it('however long, arrives whole', async () => {
      const paragraphs = Array.from({ length: 400 }, (_, index) => `Paragraph ${index}: ${'äöü '.repeat(40)}`.trim());
      await write(paragraphs.join('\n\n'));
      const heard = await eventually('the whole text', async () => {
        const texts = (await alice.messages(room, BOB)).map(({ content }) => content.body);
        return texts.some((text) => text?.includes('Paragraph 399')) && texts;
      });
      expect(heard.join('\n\n')).toBe(paragraphs.join('\n\n'));
    });
  });

  describe('in an encrypted room', () => {
    const ENCRYPTION = { algorithm: 'm.megolm.v1.aes-sha2' };
    const ciphertext = { algorithm: 'm.megolm.v1.aes-sha2', ciphertext: 'c2VjcmV0', session_id: 's', device_id: 'd' };

    it('is not read: she is told once, and bob writes to her elsewhere', async () => {
      await alice.setState(room, 'm.room.encryption', ENCRYPTION);
      await alice.hear(room, 'This room is encrypted');
      for (let count = 0; count < 3; count += 1) await alice.say(room, ciphertext, 'm.room.encrypted');
      await write('in the open');
      const other = await alice.acceptInvitation(BOB);
      expect(other).not.toBe(room);
      await alice.hear(other, 'in the open');
      expect(await alice.messages(room, BOB)).toHaveLength(1);
      const texts = (await world.bob.incoming()).map(({ message }) => JSON.stringify(message));
      expect(texts.filter((text) => text.includes('c2VjcmV0'))).toEqual([]);
    });

    it('from the beginning is told the same', async () => {
      const state = [{ type: 'm.room.encryption', state_key: '', content: ENCRYPTION }];
      const encrypted = await alice.createRoom([BOB], { initial_state: state });
      await alice.hear(encrypted, 'This room is encrypted');
      await alice.say(encrypted, ciphertext, 'm.room.encrypted');
      expect(await alice.messages(encrypted, BOB)).toHaveLength(1);
    });
  });
});
