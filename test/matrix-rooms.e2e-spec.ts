import { beforeAll, beforeEach, expect, it } from '@jest/globals';
import { escapeIdentifier } from 'pg';
import { describeWithPeer } from './support/describe-with-peer.js';
import { RealClient, type Received } from './support/dm3-lib.js';
import { eventually } from './support/eventually.js';
import { answerTo, BOT, bridgedRoom, CAROL, fromRoom } from './support/matrix-rooms.js';
import type { MatrixUser } from './support/matrix-user.js';
import { BOB, matrixWorld } from './support/matrix-world.js';
import { secretsIn } from './support/secrets.js';

describeWithPeer('synapse', 'A room that is bridged', () => {
  const logged: string[] = [];
  const destination = { write: (line: string) => void logged.push(line) };
  const world = matrixWorld({ gateway: { log: { level: 'debug', destination } } });
  let alice: MatrixUser;
  let carol: RealClient;
  let dave: RealClient;
  beforeAll(async () => {
    const { gateway } = world;
    carol = await RealClient.create(gateway, await gateway.addPerson('carol.eth', { signUp: true }));
    dave = await RealClient.create(gateway, await gateway.addPerson('dave.eth', { signUp: true }));
  }, 60_000);
  beforeEach(async () => void (alice = await world.somebody()));

  it('is written and read by three of dm3 and by those on Matrix, each message once, and none by its author', async () => {
    const { room, name } = await bridgedRoom(alice, 'bob.eth carol.eth dave.eth');
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
    const { room, name } = await bridgedRoom(alice, 'bob.eth carol.eth');
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
    const { room, name } = await bridgedRoom(alice, 'bob.eth carol.eth');
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
    const { room, name } = await bridgedRoom(alice, 'bob.eth carol.eth');
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

  it('is neither joined nor kept waiting by who reads, and not by files that cannot be had', async () => {
    const { room, name } = await bridgedRoom(alice, 'bob.eth carol.eth');
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

  it('keeps threads: an answer in dm3 goes into the thread, what is said of its own accord does not', async () => {
    const { room, name } = await bridgedRoom(alice, 'bob.eth');
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

  it('spares who came later what is about words that he never had', async () => {
    const { room, alias, name } = await bridgedRoom(alice, 'bob.eth');
    const early = await alice.say(room, 'before she came');
    await world.bob.receive('before she came');
    await alice.say(room, '!dm3 invite carol.eth');
    await carol.receive(`into the Matrix room ${alias}`);
    const relation = { rel_type: 'm.annotation', event_id: early, key: '🎂' };
    await alice.say(room, { 'm.relates_to': relation }, 'm.reaction');
    await alice.redact(room, early);
    await alice.say(room, 'now all are here');
    await carol.receive('now all are here');
    const typesFor = async (person: RealClient) =>
      (await fromRoom(person, name)).map(({ message }) => message.metadata.type);
    await eventually('the last one for bob', async () => (await typesFor(world.bob)).length === 5);
    expect(await typesFor(world.bob)).toEqual(['NEW', 'NEW', 'REACTION', 'DELETE_REQUEST', 'NEW']);
    expect(await typesFor(carol)).toEqual(['NEW', 'NEW']);
  });

  it('holds up nobody for one who cannot be reached, and says whom a message did not reach', async () => {
    const { gateway } = world;
    const former = await RealClient.create(gateway, await gateway.addPerson('frank.eth', { signUp: true }));
    const { room } = await bridgedRoom(alice, 'bob.eth frank.eth');
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
    const { room, alias, name } = await bridgedRoom(alice, 'bob.eth carol.eth');
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
});

function fileOf({ attachments }: Received['message']): Buffer {
  const [{ data }] = attachments as unknown as [{ data: string }];
  return Buffer.from(data.slice(data.indexOf(',') + 1), 'base64');
}
