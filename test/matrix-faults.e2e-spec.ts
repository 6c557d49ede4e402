import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { AdminService } from '../src/gateway/admin/admin.service.js';
import { describeWithPeer } from './support/describe-with-peer.js';
import { eventually } from './support/eventually.js';
import { ask } from './support/http-answer.js';
import { surviveOutage } from './support/matrix-outage.js';
import type { MatrixUser } from './support/matrix-user.js';
import { aliasOf, BOB, matrixWorld } from './support/matrix-world.js';

const COUNT = 10;
const numbered = (what: string) => Array.from({ length: COUNT }, (_, index) => `${what} ${index}`);

describeWithPeer('synapse', 'When something goes wrong between Matrix and dm3', () => {
  const world = matrixWorld();
  let alice: MatrixUser;
  let room: string;
  beforeEach(async () => {
    alice = await world.somebody();
    room = await alice.chatWith(BOB);
  });

  const transaction = (
    body: unknown,
    { txn = randomUUID() as string, token = world.synapse.registration.hs_token } = {},
  ) => ask(`${world.gateway.url}/_matrix/app/v1/transactions/${txn}`, { method: 'PUT', body, token });
  const message = (body: string, more: object = {}) => ({
    type: 'm.room.message',
    event_id: `$${randomUUID()}`,
    room_id: room,
    sender: alice.id,
    origin_server_ts: Date.now(),
    content: { msgtype: 'm.text', body },
    ...more,
  });
  const textsFromAlice = async () =>
    (await world.bob.incoming())
      .filter(({ message: { metadata } }) => metadata.from === aliasOf(alice))
      .map(({ message: { message: text } }) => text);
  const allFromAlice = (texts: readonly string[]) =>
    eventually('all of them', async () => (await textsFromAlice()).length >= texts.length);

  describe('a transaction', () => {
    it('that comes again, under its own id or another, is handled once', async () => {
      const [one, two] = [message('first'), message('second')];
      expect((await transaction({ events: [one] }, { txn: '1' })).status).toBe(200);
      expect((await transaction({ events: [one] }, { txn: '1' })).status).toBe(200);
      expect((await transaction({ events: [two, one, two] }, { txn: '1' })).status).toBe(200); // the count began anew
      await transaction({ events: [message('last')] });
      await world.bob.receive('last');
      expect(await textsFromAlice()).toEqual(['first', 'second', 'last']);
    });

    it('with what is no event among its events brings the others', async () => {
      const bad = [null, 7, 'event', [], {}, { type: 'm.room.message' }, { ...message('x'), content: 'text' }];
      expect((await transaction({ events: [message('before'), ...bad, message('after')] })).status).toBe(200);
      await world.bob.receive('after');
      expect(await textsFromAlice()).toEqual(['before', 'after']);
    });

    it('with hostile contents brings the others, and nothing is left lying', async () => {
      const hostile = [
        { body: { a: 1 } },
        { msgtype: 7, body: 'x' },
        { msgtype: 'm.text', body: 'x', 'm.relates_to': 'nonsense' },
        { msgtype: 'm.text', body: 'x', 'm.relates_to': { rel_type: 'm.replace', event_id: 5 } },
        { msgtype: 'm.image', body: '../../etc/passwd', url: 'mxc://../..' },
        { msgtype: 'm.text', body: 'x\u0000y', formatted_body: '<b>', format: 'org.matrix.custom.html' },
        JSON.parse('{"__proto__": {"msgtype": "m.text"}, "constructor": {"prototype": 1}}') as object,
      ];
      const deep = `{"events": [{"type": "x", "a": ${'['.repeat(20_000)}${']'.repeat(20_000)}}]}`;
      expect((await transaction(deep)).status).toBe(200);
      const events = hostile.map((content) => message('', { content }));
      const odd = [
        message('', { type: 'm.reaction', content: { 'm.relates_to': { rel_type: 'm.annotation', key: 'x' } } }),
        message('', { type: 'm.room.redaction', content: {} }),
        message('', { type: 'm.room.member', state_key: BOB, content: { membership: 3 } }),
        message('', { sender: 'not a user id' }),
        message('', { room_id: '!nowhere' }),
      ];
      expect((await transaction({ events: [...events, ...odd, message('sound')] })).status).toBe(200);
      await world.bob.receive('sound');
      await eventually('an empty inbox', async () => (await waiting()) === 0);
    });

    it('is refused without the right token, or when it is none', async () => {
      expect(await transaction({ events: [] }, { token: 'x'.repeat(64) })).toMatchObject({
        status: 403,
        json: { errcode: 'M_FORBIDDEN' },
      });
      const url = `${world.gateway.url}/_matrix/app/v1/transactions/1`;
      expect(await ask(url, { method: 'PUT', body: { events: [] } })).toMatchObject({
        status: 401,
        json: { errcode: 'M_MISSING_TOKEN' },
      });
      const legacy = `${url}?access_token=${world.synapse.registration.hs_token}`;
      expect((await ask(legacy, { method: 'PUT', body: { events: [] } })).status).toBe(200);
      for (const body of [7, [], { events: 'none' }, { events: {} }]) {
        expect(await transaction(body)).toMatchObject({ status: 400, json: { errcode: 'M_BAD_JSON' } });
      }
    });

    it('brings receipts under either of their names', async () => {
      const { hash } = await world.bob.send({ to: aliasOf(alice), text: 'read me' });
      const event = await alice.hear(room, 'read me');
      const receipt = {
        type: 'm.receipt',
        room_id: room,
        content: { [event.event_id]: { 'm.read': { [alice.id]: {} } } },
      };
      const both = { events: [], ephemeral: [receipt], 'de.sorunome.msc2409.ephemeral': [receipt] };
      expect((await transaction(both)).status).toBe(200);
      await eventually('one receipt', async () => {
        const found = (await world.bob.incoming()).filter(
          ({ message: { metadata } }) => metadata.referenceMessageHash === hash,
        );
        return found.length === 1;
      });
    });
  });

  it('an event that cannot be opened any more stops nobody, not even its own room', async () => {
    const sql = `INSERT INTO matrix_inbox (id, event_key, room_key, sealed_event)
      SELECT gen_random_uuid(), '\\x00'::bytea, room_key, '\\x0101'::bytea FROM matrix_inbox WHERE state = 'done' LIMIT 1`;
    await alice.say(room, 'before the damage');
    await world.bob.receive('before the damage');
    await world.gateway.db.query(sql);
    await alice.say(room, 'after the damage');
    await world.bob.receive('after the damage');
    const failed = await world.gateway.db.query("SELECT code, sealed_event FROM matrix_inbox WHERE state = 'failed'");
    expect(failed).toEqual([{ code: 'SEAL_BROKEN', sealed_event: null }]);
  });

  it('nothing can be read in the tables, neither before an event is handled nor after', async () => {
    await alice.say(room, 'a secret of mine');
    await world.bob.receive('a secret of mine');
    await transaction({ events: [message('never handled', { room_id: '!unknown' })] });
    await world.bob.send({ to: aliasOf(alice), text: 'a secret of his' });
    await alice.hear(room, 'a secret of his');
    const secrets = ['a secret', 'never handled', alice.id, BOB, 'bob.eth', room];
    for (const table of ['matrix_inbox', 'matrix_room', 'matrix_ghost', 'matrix_event']) {
      const rows = await world.gateway.db.query<{ row: string }>(`SELECT row_to_json(t)::text AS row FROM ${table} t`);
      const all = rows.map(({ row }) => row).join('\n');
      expect(rows.length).toBeGreaterThan(0);
      const found = secrets.filter((text) => all.includes(text) || all.includes(Buffer.from(text).toString('hex')));
      expect({ table, found }).toEqual({ table, found: [] });
    }
  });

  it('an operator finds a message by its event, whichever side it is from', async () => {
    const said = await alice.say(room, 'find me');
    await world.bob.receive('find me');
    await world.bob.send({ to: aliasOf(alice), text: 'find me, too' });
    const { event_id: heard } = await alice.hear(room, 'find me, too');
    const admin = world.gateway.running.app.get(AdminService);
    const direction = async (id: string) => (await admin.message(id))?.direction;
    await eventually(
      'both',
      async () => (await direction(heard)) !== undefined && (await direction(said)) !== undefined,
    );
    expect([await direction(said), await direction(heard)]).toEqual(['to-dm3', 'from-dm3']);
    expect(await admin.message('$nothing:of.ours')).toBeNull();
  });

  it('nobody is asked twice whether he exists: unknown people are not there, known ones are', async () => {
    const { hs_token: token } = world.synapse.registration;
    const at = (path: string) => ask(`${world.gateway.url}/_matrix/app/v1/${path}`, { token });
    expect((await at(`users/${encodeURIComponent(BOB)}`)).status).toBe(200);
    for (const id of ['@dm3_nobody.eth:hs.test', '@dm3_=ff:hs.test', '@alice:hs.test']) {
      expect(await at(`users/${encodeURIComponent(id)}`)).toMatchObject({
        status: 404,
        json: { errcode: 'M_NOT_FOUND' },
      });
    }
    expect((await at(`rooms/${encodeURIComponent('#dev:hs.test')}`)).status).toBe(404);
  });

  it('a chat whose beginning broke off goes on, and what dm3 says meanwhile makes no second one', async () => {
    const carol = await world.somebody();
    const joined = world.synapse.link.loseAnswerTo('/join/');
    const itsRoom = await carol.createRoom([BOB]);
    await joined;
    await world.synapse.link.refuse();
    const held = `UPDATE matrix_inbox SET next_at = now() + interval '3 s' WHERE state = 'waiting' AND attempts > 0 RETURNING 1`;
    await eventually('the join to have failed', async () => (await world.gateway.db.query(held)).length > 0);
    await world.synapse.link.mend();
    await world.bob.send({ to: aliasOf(carol), text: 'sooner than the chat' });
    await carol.hear(itsRoom, 'sooner than the chat');
    expect(await carol.invitations()).toEqual([]);
  });

  it('a homeserver that is killed gets everything in order when it is back', async () => {
    await world.synapse.stopSynapse('SIGKILL');
    const texts = numbered('while you were away');
    for (const text of texts) await world.bob.send({ to: aliasOf(alice), text });
    await world.synapse.startSynapse();
    const heard = await eventually('all of them', async () => {
      const messages = await alice.messages(room, BOB);
      return messages.length >= texts.length && messages.map(({ content }) => content.body);
    });
    expect(heard).toEqual(texts);
    await alice.say(room, 'I am back');
    await world.bob.receive('I am back');
  });

  it('a homeserver that stops long after the start is seen to, and so is its return', async () => {
    const trouble = async () => {
      const { json } = await ask(`${world.gateway.url}/health/ready`);
      return (json as { details: { matrix: { detail?: string } } }).details.matrix.detail ?? null;
    };
    await eventually('all to be well', async () => (await trouble()) === null);
    await world.synapse.stopSynapse();
    await world.bob.send({ to: aliasOf(alice), text: 'are you there?' });
    const told = await eventually('the gateway to say so', trouble);
    expect(told).toMatch(/do not reach each other: HOMESERVER_UNREACHABLE/);
    await world.synapse.startSynapse();
    await eventually('all to be well again', async () => (await trouble()) === null);
    await alice.hear(room, 'are you there?');
  });

  it('a homeserver that is restarted has thirty messages each way in order, and once', async () => {
    await surviveOutage(world, { alice, room, away: async () => undefined });
  }, 120_000);

  it('a link that breaks off again and again loses and doubles nothing', async () => {
    const texts = numbered('through the storm');
    for (const [index, text] of texts.entries()) {
      world.synapse.link.cutAfter(700 + index * 150);
      await world.bob.send({ to: aliasOf(alice), text });
    }
    await world.synapse.link.mend();
    const heard = await eventually('all of them', async () => {
      const messages = await alice.messages(room, BOB);
      return messages.length >= texts.length && messages.map(({ content }) => content.body);
    });
    expect(heard).toEqual(texts);
  });

  it('ten messages at once keep their order', async () => {
    const texts = numbered('quickly');
    for (const text of texts) await alice.say(room, text);
    await allFromAlice(texts);
    expect(await textsFromAlice()).toEqual(texts);
  });

  async function waiting(): Promise<number> {
    const sql = "SELECT count(*)::int AS count FROM matrix_inbox WHERE state = 'waiting'";
    return (await world.gateway.db.query<{ count: number }>(sql))[0]!.count;
  }
});
