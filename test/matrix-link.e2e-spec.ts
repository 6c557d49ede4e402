import { beforeEach, expect, it } from '@jest/globals';
import { AdminService } from '../src/gateway/admin/admin.service.js';
import { QueuePressure } from '../src/outbox/pressure.js';
import { LINKED_NAME_RECORD } from '../src/protocol/profile/profile-link.js';
import type { Person } from '../src/sandbox/people.js';
import { describeWithPeer } from './support/describe-with-peer.js';
import { clientCrypto, ethers5 } from './support/dm3-lib.js';
import { eventually } from './support/eventually.js';
import { ask } from './support/http-answer.js';
import { arrivedMail } from './support/mail.js';
import type { MatrixUser, RoomEvent } from './support/matrix-user.js';
import { aliasOf, BOB, matrixWorld } from './support/matrix-world.js';
import { DOMAIN } from './support/test-gateway.js';

const FAST = { firstSeconds: 0.2, factor: 1.5, maxSeconds: 1 };
const BOT = '@dm3bot:hs.test';
const MAIL_GHOST = '@dm3_x._at.victim.com.email.gateway.eth:hs.test';

describeWithPeer('synapse', 'A Matrix account and an ENS name', () => {
  const world = matrixWorld({
    matrix: { block: ['@blocked*:hs.test'] },
    gateway: {
      ccipRead: { validitySeconds: 2 },
      settings: {
        links: { enabled: true },
        delivery: {
          retry: { email: FAST, dm3: FAST, matrix: FAST },
          pollSeconds: 0.2,
          backPressure: { maxWaiting: 50 },
        },
      },
    },
  });
  let alice: MatrixUser;
  let room: string;
  beforeEach(async () => {
    alice = await world.somebody();
    room = await alice.chatWith(BOB);
  });

  /** Says something, and waits for what the ghost answers to just that. */
  async function command(words: string, who = alice, where = room): Promise<RoomEvent> {
    const said = await who.say(where, words);
    return who.awaitEvent(where, `an answer to "${words}"`, ({ content, sender }) => {
      const relation = content['m.relates_to'] as { 'm.in_reply_to'?: { event_id: string } } | undefined;
      return sender === BOB && content.msgtype === 'm.notice' && relation?.['m.in_reply_to']?.event_id === said;
    });
  }
  const answerTo = async (words: string, who = alice, where = room) => (await command(words, who, where)).content.body!;

  /** What a client shows in its code block, which is what people copy. */
  async function begin(name: string, kind = '', who = alice, where = room): Promise<string> {
    const { content } = await command(`!dm3 link ${name} ${kind}`, who, where);
    const [, html] = /<pre><code>([^]*?)<\/code><\/pre>/.exec(String(content['formatted_body']))!;
    return html!.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
  }
  const byWallet = ({ walletPrivateKey }: Person, text: string) =>
    new ethers5.Wallet(walletPrivateKey).signMessage(text);
  const linkedNameOf = async (user: MatrixUser) => {
    const { json } = await ask(`${world.gateway.url}/resolver/alias?of=${encodeURIComponent(user.id)}`);
    return (json as { linkedName?: string }).linkedName;
  };
  const timeIsUp = () => world.gateway.db.query('UPDATE profile_link SET expires_at = now() WHERE NOT is_published');

  it('are tied by the wallet of the name, shown everywhere, and untied again', async () => {
    const { gateway } = world;
    expect(await answerTo('!dm3 link')).toMatch(new RegExp(`^${alice.id} is not linked`));
    const text = await begin('alice.eth');
    expect(text).toContain(`Linked Profile Name: ${aliasOf(alice)}`);
    expect(await answerTo('!dm3 link')).toMatch(/is not linked.*A link with alice\.eth waits for a signature/s);
    const signature = await byWallet(gateway.alice, text);
    const pasted = `\`${signature.replace('0x', '0X').slice(0, 70)}\n  ${signature.slice(70)}\``;
    expect(await answerTo(`!dm3 link alice.eth ${pasted}`)).toBe(`${alice.id} is linked with alice.eth.`);

    expect(await answerTo('!dm3 link')).toMatch(/is linked with alice\.eth/);
    expect(await linkedNameOf(alice)).toBe('alice.eth');
    const { json } = await ask(`${gateway.url}/resolver/links/alice.eth`);
    expect(json).toMatchObject({ links: [{ address: alice.id, name: 'alice.eth', alias: aliasOf(alice), signature }] });
    await eventually('the link in ENS', async () => (await recordOf(alice)) === 'alice.eth');

    expect(await answerTo('!dm3 unlink')).toMatch(/The link is removed/);
    expect(await linkedNameOf(alice)).toBeUndefined();
    await eventually('the record to go', async () => (await recordOf(alice)) === null);
    expect(await answerTo('!dm3 unlink')).toMatch(/is not linked/);
    expect(await answerTo(`!dm3 link alice.eth ${signature}`)).toMatch(/no such link to be signed/);
    expect(await linkedNameOf(alice)).toBeUndefined();
    await alice.say(room, 'Nothing of this was for you');
    const received = await world.bob.receive('Nothing of this was for you');
    expect(received.message.metadata.type).toBe('NEW');
    expect((await world.bob.incoming()).filter(({ message }) => message.message?.includes('!dm3'))).toEqual([]);
  });

  it('are tied by the signing key of the name’s dm3 profile, too', async () => {
    const { bob, gateway } = world;
    const text = await begin('bob.eth', 'dm3');
    expect(text).toContain('Main ID: bob.eth');
    const wrongKind = await byWallet(gateway.bob, text);
    expect(await answerTo(`!dm3 link bob.eth ${wrongKind}`)).toMatch(/does not count.*signing key of its profile/);
    const signature = await clientCrypto.sign(bob.keys.signingKeyPair.privateKey, text);
    expect(await answerTo(`!dm3 link bob.eth ${signature}`)).toBe(`${alice.id} is linked with bob.eth.`);
    expect(await linkedNameOf(alice)).toBe('bob.eth');
  });

  it('are not tied by a signature of another wallet, over another text, or when the time is up', async () => {
    const { gateway } = world;
    const carol = await world.somebody();
    const carols = await carol.chatWith(BOB);
    const [text, hers] = [await begin('alice.eth'), await begin('alice.eth', '', carol, carols)];
    expect(await answerTo(`!dm3 link alice.eth ${await byWallet(gateway.bob, text)}`)).toMatch(
      /does not count: .* signed by the owner of alice\.eth, with the wallet/,
    );
    expect(await answerTo(`!dm3 link alice.eth ${await byWallet(gateway.alice, hers)}`)).toMatch(/does not count/);
    expect(await answerTo(`!dm3 link alice.eth ${await byWallet(gateway.alice, `${text}\n`)}`)).toMatch(
      /with a line break at its end/,
    );
    expect(await answerTo('!dm3 link alice.eth nonsense')).toMatch(/does not count/);
    const right = await byWallet(gateway.alice, text);
    expect(await answerTo(`!dm3 link bob.eth ${right}`)).toMatch(/no such link to be signed/);
    await timeIsUp();
    expect(await answerTo(`!dm3 link alice.eth ${right}`)).toMatch(/no such link to be signed/);
    expect(await answerTo('!dm3 link nobody.eth')).toMatch(/nobody\.eth does not exist/);
    expect(await answerTo(`!dm3 link ${aliasOf(alice)}`)).toMatch(/has to be a dm3 name/);
    expect(await linkedNameOf(alice)).toBeUndefined();
  });

  it('are not tied by a signature that another account used', async () => {
    const mallory = await world.somebody();
    const his = await mallory.chatWith(BOB);
    const text = await begin('alice.eth');
    const signature = await byWallet(world.gateway.alice, text);
    expect(await answerTo(`!dm3 link alice.eth ${signature}`, mallory, his)).toMatch(/no such link/);
    await begin('alice.eth', '', mallory, his);
    expect(await begin('alice.eth')).toBe(text); // asked again
    expect(await answerTo(`!dm3 link alice.eth ${signature}`, mallory, his)).toMatch(/does not count/);
    expect(await answerTo(`!dm3 link alice.eth ${signature}`)).toMatch(/is linked with alice\.eth/);
    expect(await answerTo(`!dm3 link alice.eth ${signature}`, mallory, his)).toMatch(/does not count/);
    expect(await answerTo(`!dm3 link alice.eth ${signature}`)).toMatch(/is linked with alice\.eth/); // said again
    expect(await linkedNameOf(mallory)).toBeUndefined();
  });

  it('once tied, let the person write to other networks as the dm3 name; before and after that they do not', async () => {
    const { gateway } = world;
    const before = await alice.createRoom([MAIL_GHOST]);
    await alice.hear(before, 'does not relay between other networks');
    await alice.untilMember(before, MAIL_GHOST, 'leave');

    await answerTo(`!dm3 link alice.eth ${await byWallet(gateway.alice, await begin('alice.eth'))}`);
    const chat = await alice.chatWith(MAIL_GHOST);
    await alice.say(chat, 'over the bridge');
    const mail = await arrivedMail(gateway, 'x@victim.com', 'over the bridge');
    expect(mail.from!.value).toEqual([{ name: 'alice.eth', address: `alice.eth@${DOMAIN}` }]);

    await answerTo('!dm3 unlink');
    await alice.say(chat, 'once more');
    await alice.hear(chat, 'does not relay between other networks');
  });

  it('are tied in a room with the bot, too, which does not serve whom the operator does not let in', async () => {
    const blocked = await world.synapse.user('blocked-too');
    const together = await alice.createRoom([BOT, blocked.id]);
    await alice.untilMember(together, BOT, 'join');
    await blocked.join(together);
    await alice.say(together, '!dm3 link alice.eth');
    const { content } = await alice.hear(together, 'Sign this text');
    const [, text] = /<pre><code>([^]*?)<\/code><\/pre>/.exec(String(content['formatted_body']))!;
    await alice.say(together, `!dm3 link alice.eth ${await byWallet(world.gateway.alice, text!)}`);
    await alice.hear(together, `${alice.id} is linked with alice.eth.`);
    for (const words of ['!dm3 link bob.eth', '!dm3 help']) await blocked.say(together, words);
    await alice.hear(together, 'does not let you use it');
    await alice.say(together, '!dm3 unlink');
    await alice.hear(together, 'The link is removed');
    const answers = await alice.messages(together, BOT);
    expect(answers.filter(({ content: { body } }) => body!.includes('Sign this text'))).toHaveLength(1);
    expect(answers.filter(({ content: { body } }) => body!.includes('does not let you use it'))).toHaveLength(1);
  });

  it('are of no use to somebody whom the operator does not let in: both sides are told', async () => {
    const blocked = await world.synapse.user('blocked');
    const refused = await blocked.createRoom([BOB]);
    await blocked.hear(refused, 'operator of this gateway does not let you use it');
    await blocked.untilMember(refused, BOB, 'leave');
    await world.bob.send({ to: aliasOf(blocked), text: 'are you there?' });
    await world.bob.receive(`does not let anybody write to ${blocked.id}`);
    expect(await blocked.invitations()).toEqual([]);
  });

  it('wait while the gateway has no room for more: the homeserver keeps what was said', async () => {
    const { gateway, bob } = world;
    const [pressure, admin] = [gateway.running.app.get(QueuePressure), gateway.running.app.get(AdminService)];
    await admin.pause('email');
    await bob.send({ to: 'carol._at.example.com.email.gateway.eth', text: 'Waits in a full queue' });
    await gateway.db.query(
      `INSERT INTO outbox_item (head_id, seq, kind, ref, expires_at)
       SELECT head_id, seq + n, kind, gen_random_uuid(), expires_at FROM outbox_item, generate_series(1, 50) n`,
    );
    await pressure.measure();
    await alice.say(room, 'is there room?');
    await eventually('the homeserver to be put off', async () => {
      const { text } = await ask(`${gateway.url}/metrics`);
      return text.includes('event="matrix.request-put-off"');
    });
    const { hs_token: token } = world.synapse.registration;
    const event = { type: 'm.room.message', event_id: '$1', room_id: room, sender: alice.id, content: {} };
    const put = (events: object[]) =>
      ask(`${gateway.url}/_matrix/app/v1/transactions/1`, { method: 'PUT', body: { events }, token });
    const refused = await put([event]);
    expect(refused).toMatchObject({ status: 429, json: { errcode: 'M_LIMIT_EXCEEDED', retry_after_ms: 60_000 } });
    expect(refused.headers.get('retry-after')).toBe('60');
    expect((await put([])).status).toBe(200);

    await gateway.db.query('DELETE FROM outbox_item WHERE seq > (SELECT min(seq) FROM outbox_item)');
    await pressure.measure();
    await bob.receive('is there room?');
    await admin.resume('email');
    await arrivedMail(gateway, 'carol@example.com', 'Waits in a full queue');
  });

  async function recordOf(user: MatrixUser): Promise<string | null> {
    const { bob } = world;
    const resolver = await bob.provider.getResolver(aliasOf(user));
    return (await resolver?.getText(LINKED_NAME_RECORD)) || null;
  }
});
