import { beforeAll, beforeEach, expect, it } from '@jest/globals';
import { describeWithPeer } from './support/describe-with-peer.js';
import { RealClient } from './support/dm3-lib.js';
import { answerTo, BOT, bridgedRoom, CAROL, DAVE, fromRoom, publicRoom } from './support/matrix-rooms.js';
import type { MatrixUser } from './support/matrix-user.js';
import { BOB, matrixWorld } from './support/matrix-world.js';

describeWithPeer('synapse', 'The life of a room that is bridged', () => {
  const world = matrixWorld();
  let alice: MatrixUser;
  let carol: RealClient;
  let dave: RealClient;
  beforeAll(async () => {
    const { gateway } = world;
    carol = await RealClient.create(gateway, await gateway.addPerson('carol.eth', { signUp: true }));
    dave = await RealClient.create(gateway, await gateway.addPerson('dave.eth', { signUp: true }));
  }, 60_000);
  beforeEach(async () => void (alice = await world.somebody()));

  it('obeys commands by the rights of who gives them', async () => {
    const { room, name } = await bridgedRoom(alice, 'bob.eth');
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
    const { room, name } = await bridgedRoom(alice, 'bob.eth');
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

    const closed = await bridgedRoom(alice, 'bob.eth', { preset: 'private_chat' });
    await dave.send({ to: closed.name, text: 'me too' });
    await dave.receive(`You are not in the room ${closed.alias}`);
    await alice.invite(closed.room, DAVE);
    await alice.untilMember(closed.room, DAVE, 'join');
    await dave.receive(`${alice.id} has brought you into the Matrix room ${closed.alias}`);
    await dave.send({ to: closed.name, text: 'now I am in' });
    await alice.hear(closed.room, 'now I am in');
  });

  it('is unbridged, and nothing crosses any more; and bridged again, under its old name', async () => {
    const { room, name } = await bridgedRoom(alice, 'bob.eth carol.eth');
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
    const { room, name } = await bridgedRoom(alice, 'bob.eth carol.eth');
    await alice.kick(room, CAROL);
    await carol.receive(`${alice.id} has removed you from the room`);
    await alice.kick(room, BOT);
    await world.bob.receive(`${alice.id} has ended the bridge`);
    await alice.untilMember(room, BOB, 'leave');
    await world.bob.send({ to: name, text: 'hello?' });
    await world.bob.receive('stands for no Matrix room that is bridged');
  });

  it('goes on in the room that it is upgraded to, under its old name, with nothing lost on the way', async () => {
    const { room, name } = await bridgedRoom(alice, 'bob.eth', { room_version: '10' });
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

    const closed = await bridgedRoom(alice, 'bob.eth', { preset: 'private_chat' });
    const upgraded = (await alice.call('POST', `rooms/${encodeURIComponent(closed.room)}/upgrade`, {
      new_version: '12',
    })) as { replacement_room: string };
    // In the old room it may be said no more: Synapse takes the right to speak there away.
    await world.bob.receive(`The room ${closed.alias} goes on in another one, where the gateway is not`);
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
    const { room, name } = await bridgedRoom(alice, 'bob.eth');
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
    const { room, name } = await bridgedRoom(alice, 'bob.eth');
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

    const secret = await bridgedRoom(alice, 'bob.eth');
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

  it('ends when the last person leaves; a chat that is upgraded says where it goes on', async () => {
    const { room, name } = await bridgedRoom(alice, 'bob.eth');
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
});

describeWithPeer('synapse', 'A room that is named from elsewhere', () => {
  const world = matrixWorld();
  let alice: MatrixUser;
  let mallory: MatrixUser;
  let office: string;
  beforeEach(async () => {
    [alice, mallory] = [await world.somebody(), await world.somebody()];
    office = await mallory.createRoom([BOT]);
    await mallory.hear(office, 'I connect Matrix rooms');
  });

  const asks = async (words: string): Promise<string | undefined> =>
    (await answerTo(mallory, office, await mallory.say(office, `!dm3 ${words}`))).content.body;
  /** How often the bot came and went. */
  const visits = async (room: string): Promise<unknown[]> =>
    (await alice.timeline(room))
      .filter(({ type, state_key }) => type === 'm.room.member' && state_key === BOT)
      .map(({ content }) => content.membership);

  it('is left again where who named it may not have it bridged', async () => {
    const { room, alias } = await publicRoom(alice);
    expect(await asks(`bridge ${alias} bob.eth`)).toContain('Only who is in the room can do that');
    expect(await visits(room)).toEqual(['join', 'leave']);
    await mallory.join(room);
    expect(await asks(`bridge ${alias} bob.eth`)).toContain('you need the right to change the settings');
    expect(await visits(room)).toEqual(['join', 'leave', 'join', 'leave']);
    expect(await alice.messages(room)).toEqual([]);
  });

  it('is not entered for what can be told without', async () => {
    const state = [
      { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: 'world_readable' } },
    ];
    const { room, alias } = await publicRoom(alice, { initial_state: state });
    expect(await asks(`bridge ${alias} bob.eth`)).toContain('Only who is in the room can do that');
    expect(await asks(`bridge ${alias} nobody.eth`)).toContain('none of them can be reached');
    expect(await asks(`members ${alias}`)).toContain('is not bridged');
    expect(await visits(room)).toEqual([]);
  });

  it('is not left where the bot was there before', async () => {
    const { room, alias } = await publicRoom(alice);
    await alice.invite(room, BOT);
    await alice.untilMember(room, BOT, 'join');
    expect(await asks(`bridge ${alias} bob.eth`)).toContain('Only who is in the room can do that');
    const bridged = await bridgedRoom(alice, 'bob.eth');
    for (const verb of ['bridge', 'unbridge', 'members'])
      expect(await asks(`${verb} ${bridged.alias}`)).toContain('Only who is in the room can do that');
    for (const each of [room, bridged.room]) expect(await visits(each)).toEqual(['invite', 'join']);
  });

  it('is left again where it is encrypted', async () => {
    const encryption = { algorithm: 'm.megolm.v1.aes-sha2' };
    const state = [{ type: 'm.room.encryption', state_key: '', content: encryption }];
    const { room } = await publicRoom(mallory, { initial_state: state });
    expect(await asks(`bridge ${room} bob.eth`)).toContain('This room is encrypted');
    await mallory.untilMember(room, BOT, 'leave');
  });
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
