import { beforeAll, beforeEach, expect, it } from '@jest/globals';
import { escapeIdentifier } from 'pg';
import { RealClient, type Received } from './support/dm3-lib.js';
import { describeWithPeer } from './support/describe-with-peer.js';
import { eventually } from './support/eventually.js';
import type { MatrixUser } from './support/matrix-user.js';
import { BOB, matrixWorld } from './support/matrix-world.js';
import { secretsIn } from './support/secrets.js';

const BOT = '@dm3bot:hs.test';
const CAROL = '@dm3_carol.eth:hs.test';
const DAVE = '@dm3_dave.eth:hs.test';

describeWithPeer('synapse', 'A room that is bridged', () => {
  const logged: string[] = [];
  const destination = { write: (line: string) => void logged.push(line) };
  const world = matrixWorld({ gateway: { log: { level: 'debug', destination } } });
  let alice: MatrixUser;
  let carol: RealClient;
  let dave: RealClient;
  let rooms = 0;
  beforeAll(async () => {
    const { gateway } = world;
    carol = await RealClient.create(gateway, await gateway.addPerson('carol.eth', { signUp: true }));
    dave = await RealClient.create(gateway, await gateway.addPerson('dave.eth', { signUp: true }));
  }, 60_000);
  beforeEach(async () => void (alice = await world.somebody()));

  it('is written and read by three of dm3 and by those on Matrix, each message once, and none by its author', async () => {
    const { room, name } = await bridged('bob.eth carol.eth dave.eth');
    const people = [world.bob, carol, dave];
    await alice.say(room, 'Good *morning*, all');
    for (const person of people) {
      const { message } = await person.receive(`**${alice.id}**: Good *morning*, all`);
      expect(message.metadata).toMatchObject({ type: 'NEW', from: name, to: person.name });
    }
    await world.bob.send({ to: name, text: 'Good morning from **Bob**' });
    const heard = await alice.hear(room, 'Good morning from **Bob**');
    expect(heard).toMatchObject({ sender: BOB, content: { msgtype: 'm.text' } });
    for (const person of [carol, dave]) await person.receive('**bob.eth**: Good morning from **Bob**');
    await carol.send({ to: name, text: 'and from Carol' });
    await alice.hear(room, 'and from Carol');
    for (const person of [world.bob, dave]) await person.receive('**carol.eth**: and from Carol');
    await alice.say(room, 'that is all');
    for (const person of people) {
      await person.receive('that is all');
      const said = (await fromRoom(person, name)).map(({ message }) => message.message);
      const expected = ['Good *morning*', 'from **Bob**', 'and from Carol', 'that is all'];
      const own = { 'bob.eth': 'from **Bob**', 'carol.eth': 'and from Carol', 'dave.eth': '' }[person.name];
      expect(
        said.map((text) => expected.find((part) => text!.includes(part)) ?? 'other').filter((part) => part !== 'other'),
      ).toEqual(expected.filter((part) => part !== own));
    }
    const words = (await alice.messages(room)).filter(({ content }) => content.msgtype === 'm.text');
    expect(words.map(({ sender }) => sender)).toEqual([alice.id, alice.id, BOB, CAROL, alice.id]);
  });

  it('carries replies, edits, reactions, deletions and receipts to everybody but their author', async () => {
    const { room, name } = await bridged('bob.eth carol.eth');
    const asked = await alice.say(room, 'Who brings bread?');
    const [bobs, carols] = [await world.bob.receive('Who brings bread?'), await carol.receive('Who brings bread?')];
    await world.bob.send({ to: name, text: 'I do', about: bobs.hash });
    const answer = await alice.hear(room, 'I do');
    expect(answer.content['m.relates_to']).toEqual({ 'm.in_reply_to': { event_id: asked } });
    const seen = await carol.receive('**bob.eth**: I do');
    expect(seen.message.metadata).toMatchObject({ type: 'REPLY', referenceMessageHash: carols.hash });

    await carol.send({ to: name, text: '👍', type: 'REACTION', about: seen.hash });
    const reaction = await alice.awaitEvent(room, 'a reaction', ({ type }) => type === 'm.reaction');
    expect(reaction).toMatchObject({ sender: CAROL });
    const mine = (await eventually('the reaction for bob', async () =>
      (await fromRoom(world.bob, name)).find(({ message }) => message.message === '👍'),
    ))!;
    expect(mine.message.metadata.type).toBe('REACTION');

    const edit = {
      msgtype: 'm.text',
      body: '* Who brings cake?',
      'm.new_content': { msgtype: 'm.text', body: 'Who brings cake?' },
    };
    await alice.say(room, { ...edit, 'm.relates_to': { rel_type: 'm.replace', event_id: asked } });
    const changed = await carol.receive('Who brings cake?');
    expect(changed.message.metadata).toMatchObject({ type: 'EDIT', referenceMessageHash: carols.hash });

    await carol.send({ to: name, text: '', type: 'READ_OPENED', about: carols.hash });
    await eventually('the receipt', async () => (await alice.receipts(room))[asked]?.includes(CAROL));
    await alice.markRead(room, answer.event_id);
    await eventually('the receipt for bob', async () =>
      (await fromRoom(world.bob, name)).some(({ message }) => message.metadata.type === 'READ_OPENED'),
    );
    expect((await fromRoom(carol, name)).some(({ message }) => message.metadata.type === 'READ_OPENED')).toBe(false);

    await alice.redact(room, asked);
    for (const [person, hash] of [
      [world.bob, bobs.hash],
      [carol, carols.hash],
    ] as const) {
      await eventually(`the deletion for ${person.name}`, async () =>
        (await fromRoom(person, name)).some(
          ({ message: { metadata } }) => metadata.type === 'DELETE_REQUEST' && metadata.referenceMessageHash === hash,
        ),
      );
    }
    await carol.send({ to: name, text: '', type: 'DELETE_REQUEST', about: seen.hash });
    await carol.receive('Only the author of a message can change or delete it');
  });

  it('knows by their names those who are in it, and nobody else', async () => {
    const { room, name } = await bridged('bob.eth carol.eth');
    await world.bob.send({ to: name, text: `Ask carol.eth, ${alice.id} or @dave.eth, not @room` });
    const { content } = await alice.hear(room, 'Ask carol.eth');
    const pill = (id: string, words: string) => `<a href="https://matrix.to/#/${id}">${words}</a>`;
    expect(content).toMatchObject({
      formatted_body: `<p>Ask ${pill(CAROL, 'carol.eth')}, ${pill(alice.id, alice.id)} or @dave.eth, not @room</p>`,
      'm.mentions': { user_ids: [CAROL, alice.id] },
    });
    await carol.receive(`**bob.eth**: Ask carol.eth, ${alice.id} or @dave.eth, not @room`);
  });

  it('takes pictures along, byte for byte', async () => {
    const { room, name } = await bridged('bob.eth carol.eth');
    const png = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(500, 7)]);
    const url = await alice.upload(png, 'image/png');
    await alice.say(room, {
      msgtype: 'm.image',
      body: 'cat.png',
      url,
      info: { mimetype: 'image/png', size: png.length },
    });
    for (const person of [world.bob, carol]) {
      const { message } = await person.receive(`**${alice.id}** sends a file.`);
      expect(fileOf(message)).toEqual(png);
    }
    const data = `data:image/png;base64,${png.toString('base64')}`;
    await world.bob.send({ to: name, text: 'look', attachments: [{ name: 'cat.png', data }] as never });
    const image = await alice.awaitEvent(
      room,
      'the picture',
      ({ content }) => content.msgtype === 'm.image' && content['url'] !== url,
    );
    expect(Buffer.from(await alice.download(image.content['url'] as string))).toEqual(png);
    const { message } = await carol.receive('**bob.eth** sends a file.');
    expect(fileOf(message)).toEqual(png);
  });

  it('obeys commands by the rights of who gives them', async () => {
    const { room, name } = await bridged('bob.eth');
    const erin = await world.somebody();
    await alice.invite(room, erin.id);
    await erin.join(room);
    for (const [command, answer] of [
      ['unbridge', 'you need the right to change the settings'],
      ['remove bob.eth', 'you need the right to remove people'],
      ['members', '- bob.eth'],
      ['whois bob.eth', 'bob.eth belongs to 0x'],
      ['whois bob.eth', `is ${BOB} on Matrix and takes part in this room`],
      [`whois ${alice.id}`, '._at.hs.test.matrix.gateway.eth'],
      ['whois nobody.eth', 'nobody.eth'],
      ['sing', 'I do not know "sing"'],
      ['', '!dm3 unbridge'],
    ] as const) {
      const asked = await erin.say(room, `!dm3 ${command}`);
      expect((await answerTo(erin, room, asked)).content.body).toContain(answer);
    }
    for (const [command, answer] of [
      ['invite nobody.eth carol.eth', '- carol.eth takes part.'],
      ['remove mallory.eth', 'mallory.eth does not take part'],
      ['remove carol.eth', 'carol.eth takes part no longer'],
      ['bridge', `called \`${name}\``],
    ] as const) {
      const asked = await alice.say(room, `!dm3 ${command}`);
      expect((await answerTo(alice, room, asked)).content.body).toContain(answer);
    }
    await carol.receive(`${alice.id} has removed you from the room`);
    await alice.untilMember(room, CAROL, 'leave');
    await alice.say(room, 'without Carol');
    await world.bob.receive('without Carol');
    await carol.send({ to: name, text: 'let me in' });
    await carol.receive('You were removed from the room');
    const commands = (await fromRoom(world.bob, name)).filter(({ message }) => message.message?.includes('!dm3 whois'));
    expect(commands).toEqual([]);
  });

  it('is joined by writing to it where it is public, and left by a command', async () => {
    const { room, name } = await bridged('bob.eth');
    await dave.send({ to: name, text: 'Hello, I am new' });
    expect((await alice.hear(room, 'Hello, I am new')).sender).toBe(DAVE);
    await world.bob.receive('**dave.eth**: Hello, I am new');
    await dave.send({ to: name, text: '!dm3 members' });
    await dave.receive('Of dm3 there take part (2):');
    await dave.send({ to: name, text: '!dm3 leave' });
    await alice.untilMember(room, DAVE, 'leave');
    await dave.receive('You have left the room');
    await alice.say(room, 'he is gone');
    await world.bob.receive('he is gone');
    expect((await fromRoom(dave, name)).some(({ message }) => message.message?.includes('he is gone'))).toBe(false);

    const closed = await bridged('bob.eth', { preset: 'private_chat' });
    await dave.send({ to: closed.name, text: 'me too' });
    await dave.receive(`You are not in the room ${closed.alias}`);
    await alice.invite(closed.room, DAVE);
    await alice.untilMember(closed.room, DAVE, 'join');
    await dave.receive(`${alice.id} has brought you into the Matrix room ${closed.alias}`);
    await dave.send({ to: closed.name, text: 'now I am in' });
    await alice.hear(closed.room, 'now I am in');
  });

  it('is unbridged, and nothing crosses any more; and bridged again, under its old name', async () => {
    const { room, name } = await bridged('bob.eth carol.eth');
    const asked = await alice.say(room, '!dm3 unbridge');
    await answerTo(alice, room, asked);
    for (const ghost of [BOB, CAROL]) await alice.untilMember(room, ghost, 'leave');
    for (const person of [world.bob, carol]) await person.receive(`is not bridged any more`);
    await alice.say(room, 'a secret of ours');
    await world.bob.send({ to: name, text: 'anybody there?' });
    await world.bob.receive('stands for no Matrix room that is bridged');

    const again = await alice.say(room, '!dm3 bridge bob.eth');
    expect((await answerTo(alice, room, again)).content.body).toContain(name);
    await alice.untilMember(room, BOB, 'join');
    await alice.say(room, 'here we are again');
    await world.bob.receive('here we are again');
    const said = [...(await fromRoom(world.bob, name)), ...(await fromRoom(carol, name))];
    expect(said.filter(({ message }) => /secret/.test(message.message ?? ''))).toEqual([]);
    expect((await alice.messages(room, BOB)).map(({ content }) => content.body)).toEqual([]);
  });

  it('ends when the bot is removed, and loses a member who is kicked', async () => {
    const { room, name } = await bridged('bob.eth carol.eth');
    await alice.kick(room, CAROL);
    await carol.receive(`${alice.id} has removed you from the room`);
    await alice.kick(room, BOT);
    await world.bob.receive(`${alice.id} has ended the bridge`);
    await alice.untilMember(room, BOB, 'leave');
    await world.bob.send({ to: name, text: 'hello?' });
    await world.bob.receive('stands for no Matrix room that is bridged');
  });

  it('goes on in the room that it is upgraded to, under its old name, with nothing lost on the way', async () => {
    const { room, name } = await bridged('bob.eth', { room_version: '10' });
    const { replacement_room: next } = (await alice.call('POST', `rooms/${encodeURIComponent(room)}/upgrade`, {
      new_version: '12',
    })) as { replacement_room: string };
    await alice.say(next, 'first words in the new room');
    await alice.untilMember(next, BOB, 'join');
    await world.bob.receive('first words in the new room');
    await world.bob.send({ to: name, text: 'I followed' });
    await alice.hear(next, 'I followed');
    expect(await alice.messages(room, BOB)).toEqual([]);
    const asked = await alice.say(next, '!dm3 unbridge');
    expect((await answerTo(alice, next, asked)).content.body).toContain('not bridged any more');

    const closed = await bridged('bob.eth', { preset: 'private_chat' });
    const upgraded = (await alice.call('POST', `rooms/${encodeURIComponent(closed.room)}/upgrade`, {
      new_version: '12',
    })) as { replacement_room: string };
    await alice.hear(closed.room, 'Invite me there');
    const forged = { name: 'bob.eth', identity: world.gateway.bob.address.toLowerCase(), body: '!dm3 leave' };
    await alice.say(upgraded.replacement_room, forged, 'network.dm3.command');
    await alice.say(upgraded.replacement_room, 'words before the bot came');
    await alice.invite(upgraded.replacement_room, BOT);
    await alice.untilMember(upgraded.replacement_room, BOB, 'join');
    await world.bob.send({ to: closed.name, text: 'here, too' });
    await alice.hear(upgraded.replacement_room, 'here, too');
    await world.bob.receive('words before the bot came');
  });

  it('does not take the place of another one that claims to follow it', async () => {
    const { room, name } = await bridged('bob.eth');
    const mallory = await world.somebody();
    const trap = await mallory.createRoom([BOT], {
      creation_content: { predecessor: { room_id: room, event_id: '$x' } },
    });
    await mallory.untilMember(trap, BOT, 'join');
    await mallory.hear(trap, 'I connect Matrix rooms');
    await world.bob.send({ to: name, text: 'still at home' });
    await alice.hear(room, 'still at home');
    expect((await mallory.timeline(trap)).some(({ state_key }) => state_key === BOB)).toBe(false);
  });

  it('is not led into a room that does not follow it', async () => {
    const { room, name } = await bridged('bob.eth');
    const erin = await world.somebody();
    const { room: hers } = await publicRoom(erin);
    await erin.say(hers, 'among ourselves');
    for (const replacement_room of [hers, 'junk', '#room1:hs.test']) {
      await alice.setState(room, 'm.room.tombstone', { body: 'come along', replacement_room });
    }
    await alice.hear(room, 'That room does not say that it follows this one.');
    await alice.hear(room, 'That room does not exist.');
    await world.bob.receive('goes on in another one, where the gateway is not');
    await world.bob.send({ to: name, text: 'I stay' });
    await alice.hear(room, 'I stay');
    expect((await erin.timeline(hers)).some(({ state_key }) => state_key === BOB)).toBe(false);
    const heard = (await world.bob.incoming()).filter(({ message }) => message.message?.includes('among ourselves'));
    expect(heard).toEqual([]);
  });

  it('is neither joined nor kept waiting by who reads, and not by files that cannot be had', async () => {
    const { room, name } = await bridged('bob.eth carol.eth');
    const url = 'mxc://no.such.host/abcdef';
    const lost = await alice.say(room, { msgtype: 'm.image', body: 'lost.png', url, info: { mimetype: 'image/png' } });
    await alice.say(room, 'after the file');
    await world.bob.receive('after the file');
    expect((await answerTo(alice, room, lost)).content.body).toContain('did not reach dm3');

    const last = await world.bob.receive('after the file');
    await world.bob.send({ to: name, text: '!dm3 leave' });
    await alice.untilMember(room, BOB, 'leave');
    await world.bob.send({ to: name, text: '', type: 'READ_OPENED', about: last.hash });
    await world.bob.send({ to: name, text: '👋', type: 'REACTION', about: last.hash });
    await world.bob.send({ to: name, text: '', type: 'DELETE_REQUEST', about: last.hash });
    await world.bob.receive('Only the author of a message can change or delete it');
    expect((await alice.untilMember(room, BOB, 'leave')).content.membership).toBe('leave');
    expect((await alice.messages(room, BOB)).length).toBe(0);
  });

  it('keeps out who may not bridge, and says so in encrypted rooms once', async () => {
    const erin = await world.somebody();
    const { room } = await publicRoom(alice);
    await erin.join(room);
    await alice.invite(room, BOT);
    await alice.untilMember(room, BOT, 'join');
    const asked = await erin.say(room, '!dm3 bridge bob.eth');
    expect((await answerTo(erin, room, asked)).content.body).toContain('you need the right to change the settings');
    const none = await alice.say(room, '!dm3 bridge nobody.eth');
    expect((await answerTo(alice, room, none)).content.body).toContain('The room is not bridged');

    const secret = await bridged('bob.eth');
    await alice.setState(secret.room, 'm.room.encryption', { algorithm: 'm.megolm.v1.aes-sha2' });
    await alice.hear(secret.room, 'This room is encrypted now');
    await alice.untilMember(secret.room, BOB, 'leave');
    await alice.say(secret.room, { algorithm: 'm.megolm.v1.aes-sha2', ciphertext: 'x' }, 'm.room.encrypted');
    await world.bob.receive('is encrypted now');
    const notices = (await alice.messages(secret.room, BOT)).filter(({ content }) =>
      content.body?.includes('encrypted'),
    );
    expect(notices.length).toBe(1);
  });

  it('keeps threads: an answer in dm3 goes into the thread, what is said of its own accord does not', async () => {
    const { room, name } = await bridged('bob.eth');
    const root = await alice.say(room, 'a root');
    const relation = {
      rel_type: 'm.thread',
      event_id: root,
      is_falling_back: true,
      'm.in_reply_to': { event_id: root },
    };
    await alice.say(room, { msgtype: 'm.text', body: 'in the thread', 'm.relates_to': relation });
    const asked = await world.bob.receive('in the thread');
    await world.bob.send({ to: name, text: 'there, too', about: asked.hash });
    expect((await alice.hear(room, 'there, too')).content['m.relates_to']).toMatchObject({ event_id: root });
    await world.bob.send({ to: name, text: `for all, @${alice.id.slice(1)}` });
    const { content } = await alice.hear(room, 'for all');
    expect(content['m.relates_to']).toBeUndefined();
    expect(content['m.mentions']).toEqual({ user_ids: [alice.id] });
  });

  it('ends when the last person leaves; a chat that is upgraded says where it goes on', async () => {
    const { room, name } = await bridged('bob.eth');
    await alice.leave(room);
    await world.bob.receive('Nobody is in the room');
    await world.bob.send({ to: name, text: 'echo?' });
    await world.bob.receive('stands for no Matrix room that is bridged');

    const chat = await alice.chatWith(BOB);
    const { replacement_room: next } = (await alice.call('POST', `rooms/${encodeURIComponent(chat)}/upgrade`, {
      new_version: '12',
    })) as { replacement_room: string };
    await alice.hear(chat, 'This chat goes on in another room');
    await alice.untilMember(chat, BOB, 'leave');
    await alice.invite(next, BOB);
    await alice.untilMember(next, BOB, 'join');
    await alice.say(next, 'the same chat elsewhere');
    await world.bob.receive('the same chat elsewhere');
  });

  it('holds up nobody for one who cannot be reached, and says whom a message did not reach', async () => {
    const { gateway } = world;
    const former = await RealClient.create(gateway, await gateway.addPerson('frank.eth', { signUp: true }));
    const { room } = await bridged('bob.eth frank.eth');
    await former.receive('has brought you into');
    const owner = await RealClient.create(gateway, await gateway.addPerson('frank.eth'));
    await eventually('the name to have moved', async () => (await owner.submitProfile()).status === 200);
    await alice.say(room, 'is everybody here?');
    await world.bob.receive('is everybody here?');
    await alice.hear(room, 'frank.eth: The name frank.eth belongs to somebody else now');
    await alice.untilMember(room, '@dm3_frank.eth:hs.test', 'leave');
    expect(await owner.incoming()).toEqual([]);
  });

  it('leaves nothing of it readable, neither in the database nor in the log, while it is under way and afterwards', async () => {
    const { room, alias, name } = await bridged('bob.eth carol.eth');
    const said: [string, string][] = [];
    const found = new Set<string>();
    const look = async () => {
      const { as_token, hs_token } = world.synapse.registration;
      const names = { room, alias, name, alice: alice.id, bot: BOT, ghost: BOB, as_token, hs_token };
      const secrets = new Map([...Object.entries(names), ...said]);
      for (const line of [...(await everyRow()), ...logged])
        secretsIn(line, secrets).forEach((what) => found.add(what));
    };
    for (const index of [1, 2, 3, 4]) {
      const text = `the launch is on day ${index}${index} of the month`;
      said.push([`text ${index}`, text], [`event ${index}`, await alice.say(room, text)]);
      await look();
      await world.bob.send({ to: name, text: `understood, on day ${index}${index}, by train` });
      said.push([`answer ${index}`, `understood, on day ${index}${index}, by train`]);
      await look();
    }
    await carol.receive('understood, on day 44');
    await look();
    expect([...found]).toEqual([]);
    expect(logged.length).toBeGreaterThan(100);
  });

  it('takes commands in a chat with the bot alone, for a room that is named', async () => {
    const { room, alias } = await publicRoom(alice);
    const office = await alice.createRoom([BOT]);
    await alice.hear(office, 'I connect Matrix rooms');
    const asked = await alice.say(office, `!dm3 bridge ${alias} bob.eth`);
    expect((await answerTo(alice, office, asked)).content.body).toContain('- bob.eth takes part.');
    await alice.untilMember(room, BOB, 'join');
    await alice.say(room, 'bridged from afar');
    await world.bob.receive('bridged from afar');
    const chat = await alice.chatWith(CAROL);
    await alice.invite(chat, BOT);
    await alice.untilMember(chat, BOT, 'join');
    const ofTwo = await alice.say(office, `!dm3 bridge ${chat} bob.eth`);
    expect((await answerTo(alice, office, ofTwo)).content.body).toContain('a chat of two');
    const missing = await alice.say(office, '!dm3 bridge #nowhere:hs.test bob.eth');
    expect((await answerTo(alice, office, missing)).content.body).toContain('There is no room #nowhere:hs.test');
  });

  /** All rows of all tables, as JSON with the bytes as text. */
  async function everyRow(): Promise<string[]> {
    const { db } = world.gateway;
    const sql = 'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = $1';
    const tables = await db.query<{ name: string }>(sql, [db.schema]);
    const rows = await Promise.all(tables.map(({ name }) => db.query(`SELECT * FROM ${escapeIdentifier(name)}`)));
    const asText = (_: string, value: unknown) =>
      (value as { type?: string } | null)?.type === 'Buffer'
        ? Buffer.from((value as { data: number[] }).data).toString('latin1')
        : value;
    return rows.flat().map((row) => JSON.stringify(row, asText));
  }

  async function publicRoom(owner: MatrixUser, more: Readonly<Record<string, unknown>> = {}) {
    const local = `room${++rooms}`;
    const settings = { preset: 'public_chat', is_direct: false, room_alias_name: local, ...more };
    return {
      room: await owner.createRoom([], settings),
      alias: `#${local}:hs.test`,
      name: `_room.${local}._at.hs.test.matrix.gateway.eth`,
    };
  }

  /** A room of alice's with an alias, and these people of dm3 in it. */
  async function bridged(people: string, more: Readonly<Record<string, unknown>> = {}) {
    const made = await publicRoom(alice, more);
    await alice.invite(made.room, BOT);
    await alice.untilMember(made.room, BOT, 'join');
    const asked = await alice.say(made.room, `!dm3 bridge ${people}`);
    expect((await answerTo(alice, made.room, asked)).content.body).toContain(`called \`${made.name}\``);
    return made;
  }

  function answerTo(user: MatrixUser, room: string, asked: string) {
    return user.awaitEvent(room, `an answer to ${asked}`, ({ sender, content }) => {
      const relation = content['m.relates_to'] as { 'm.in_reply_to'?: { event_id: string } } | undefined;
      return sender === BOT && relation?.['m.in_reply_to']?.event_id === asked;
    });
  }

  async function fromRoom(person: RealClient, name: string): Promise<Received[]> {
    return (await person.incoming()).filter(({ message }) => message.metadata.from === name);
  }
});

describeWithPeer('synapse', 'A room whose members are asked first', () => {
  const world = matrixWorld({ matrix: { askMembers: true, bridgeBy: ['@user1:*'], maxMembers: 1 } });

  it('sends nothing to whoever has not agreed, and takes so many', async () => {
    const { bob, gateway } = world;
    const carol = await RealClient.create(gateway, await gateway.addPerson('carol.eth', { signUp: true }));
    const [alice, erin] = [await world.somebody(), await world.somebody()];
    const settings = { preset: 'private_chat', is_direct: false, room_alias_name: 'asked' };
    const room = await alice.createRoom([BOT, erin.id], {
      ...settings,
      power_level_content_override: { users_default: 100 },
    });
    const name = '_room.asked._at.hs.test.matrix.gateway.eth';
    await erin.join(room);
    await alice.untilMember(room, BOT, 'join');
    await erin.say(room, '!dm3 bridge bob.eth');
    await alice.hear(room, `${erin.id} may not bridge rooms here`);
    await alice.say(room, '!dm3 bridge bob.eth');
    await alice.hear(room, '- bob.eth is asked to take part.');
    await bob.receive(`${alice.id} asks you into the Matrix room #asked:hs.test`);
    await alice.say(room, 'before he agrees');
    await bob.send({ to: name, text: '!dm3 join' });
    await bob.receive('You take part in the room #asked:hs.test.');
    await alice.untilMember(room, BOB, 'join');
    await alice.say(room, 'and after');
    await bob.receive('and after');
    const heard = (await bob.incoming()).filter(({ message }) => message.message?.includes('before he agrees'));
    expect(heard).toEqual([]);
    await alice.say(room, '!dm3 invite carol.eth');
    await alice.hear(room, 'carol.eth: This room has 1 members in dm3');
    await carol.send({ to: name, text: 'me, too' });
    await carol.receive('You are not in the room #asked:hs.test');
  });
});

function fileOf({ attachments }: Received['message']): Buffer {
  const [{ data }] = attachments as unknown as [{ data: string }];
  return Buffer.from(data.slice(data.indexOf(',') + 1), 'base64');
}
