import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EnsName, EthAddress, Hash, MessageId, RemoteId } from '../src/common/ids.js';
import { AdminService } from '../src/gateway/admin/admin.service.js';
import { NOTICE_PREFIX } from '../src/gateway/notices/wording.js';
import { NameService } from '../src/naming/name-service.js';
import { FakeNetwork, type FakeParcel } from './contract/fake-network.js';
import { Correspondent, type Letter } from './support/correspondent.js';
import { eventually } from './support/eventually.js';
import { startForeignService, type ForeignService } from './support/foreign-service.js';
import { TestGateway } from './support/test-gateway.js';

const FAST = { firstSeconds: 0.05, factor: 1.5, maxSeconds: 0.5 };
const fake = new FakeNetwork();
/** The same, but a message lives for a second only. */
const fleeting = new FakeNetwork('fleeting');

let gateway: TestGateway;
let bob: Correspondent;
let alice: Correspondent;
/** Whose delivery service belongs to somebody else, and refuses everything. */
let dave: Correspondent;
let daves: ForeignService;

beforeAll(async () => {
  gateway = await TestGateway.create({
    adapters: [fake, fleeting].map((adapter) => ({ adapter, codec: adapter.codec })),
    settings: {
      delivery: {
        retry: { fake: FAST, fleeting: FAST, dm3: FAST },
        pollSeconds: 0.1,
        expirySeconds: { fleeting: 1 },
      },
    },
  });
  bob = new Correspondent(gateway, gateway.bob);
  alice = new Correspondent(gateway, gateway.alice);
  daves = await startForeignService(gateway, { name: 'daves-service.eth' });
  daves.mood = 'refuses';
  dave = new Correspondent(gateway, await gateway.addPerson('dave.eth', { deliveryService: daves.name }));
});
afterAll(async () => {
  await gateway.stop();
  await daves.stop();
});

const ghostOf = (name: string, network = 'fake') => `${name}.${network}.gateway.eth`;

/** What reached somebody on the fake network, once there is as much as that. */
function arrived(name: string, count = 1, network = fake): Promise<FakeParcel[]> {
  return eventually(`${count} messages for ${name}`, async () => {
    const parcels = network.arrivedFor(name);
    return parcels.length >= count && parcels;
  });
}

/** The letter with this text, once it is there. */
function received(reader: Correspondent, text: string): Promise<Letter> {
  return eventually(`"${text}" for ${reader.person.name}`, async () =>
    (await reader.inbox()).find(({ message }) => message.message?.includes(text)),
  );
}

async function notices(reader: Correspondent, about: Hash): Promise<Letter[]> {
  const letters = await reader.inbox();
  return letters.filter(
    ({ message }) => message.message?.startsWith(NOTICE_PREFIX) && message.metadata.referenceMessageHash === about,
  );
}

async function notice(reader: Correspondent, about: Hash): Promise<string> {
  const [letter] = await eventually('a notice', async () => {
    const found = await notices(reader, about);
    return found.length > 0 && found;
  });
  return letter!.message.message!;
}

interface State {
  readonly id: MessageId;
  readonly direction: string;
  readonly state: string;
  readonly code: string | null;
}

/** What became of all messages of a ghost, in the order of their acceptance. */
async function states(name: string): Promise<State[]> {
  const address = (await gateway.running.app.get(NameService).resolveAddress(ghostOf(name) as EnsName)) as EthAddress;
  const sql = 'SELECT id, direction, state, code FROM message WHERE ghost = $1 ORDER BY accepted_at';
  return gateway.db.query<{ [Field in keyof State]: State[Field] }>(sql, [Buffer.from(address.slice(2), 'hex')]);
}

function settled(name: string, count: number): Promise<State[]> {
  return eventually(`${count} settled messages of ${name}`, async () => {
    const found = await states(name);
    const done = found.filter(({ state }) => state === 'delivered' || state === 'failed');
    return done.length >= count && found;
  });
}

describe('a pair and a destination', () => {
  it('keeps the order of a pair while its first message fails again and again', async () => {
    fake.setMood('olga', 'busy');
    const texts = ['one', 'two', 'three', 'four'];
    for (const text of texts) await bob.send({ to: ghostOf('olga'), text });
    const attempts = () => fake.attempts.filter(({ to }) => to === fake.address('olga'));
    await eventually('three attempts', async () => attempts().length >= 3);
    fake.setMood('olga', 'take');
    const parcels = await arrived('olga', texts.length);
    expect(parcels.map(({ text }) => text)).toEqual(texts);
    const bodies = attempts().map(({ body }) => Buffer.from(body).toString());
    expect(new Set(bodies).size).toBe(texts.length);
  });

  it('keeps the order of a pair on its way to dm3', async () => {
    const texts = ['erst', 'dann', 'zuletzt'];
    for (const text of texts) await fake.write({ from: 'otto', to: 'bob.eth', text });
    await received(bob, 'zuletzt');
    const letters = (await bob.inbox()).map(({ message }) => message.message!);
    expect(letters.filter((text) => texts.includes(text))).toEqual(texts);
  });

  it('lets a destination that stalls delay nobody else', async () => {
    fake.setMood('stan', 'stall');
    await bob.send({ to: ghostOf('stan'), text: 'slow' });
    await eventually('the stalled message', async () => fake.stalled === 1);
    await bob.send({ to: ghostOf('lena'), text: 'quick' });
    expect(await arrived('lena')).toMatchObject([{ text: 'quick', from: 'bob.eth' }]);
    expect(fake.arrivedFor('stan')).toEqual([]);
    fake.setMood('stan', 'take');
    expect(await arrived('stan')).toMatchObject([{ text: 'slow' }]);
  });
});

describe('a message that will not arrive', () => {
  it('is told to its author on dm3 once, also if an operator tries again in vain', async () => {
    fake.setMood('rita', 'refuse');
    const hash = await bob.send({ to: ghostOf('rita'), text: 'to rita' });
    const text = await notice(bob, hash);
    expect(text).toBe(
      `${NOTICE_PREFIX} Your message to rita (${ghostOf('rita')}) was not delivered.\n\nThe receiver takes no messages.`,
    );
    const [failed] = await states('rita');
    expect(failed).toMatchObject({ direction: 'from-dm3', state: 'failed', code: 'REFUSED' });

    expect(await gateway.running.app.get(AdminService).retry(failed!.id)).toBe(true);
    await eventually('the second failure', async () => {
      const attempts = fake.attempts.filter(({ to }) => to === fake.address('rita'));
      return attempts.length === 2 && (await states('rita'))[0]!.state === 'failed';
    });
    await fake.write({ from: 'rita', to: 'bob.eth', text: 'behind the notices' });
    await received(bob, 'behind the notices');
    expect(await notices(bob, hash)).toHaveLength(1);
  });

  it('is told to its author on the foreign network once', async () => {
    const { remoteId } = await fake.write({ from: 'nora', to: 'dave.eth', text: 'to dave', thread: 'questions' });
    expect(await arrived('nora')).toMatchObject([{ kind: 'notice', target: remoteId, thread: 'questions' }]);
    await dave.send({ to: ghostOf('nora'), text: 'behind the notice' });
    const [told, ...others] = await arrived('nora', 2);
    expect(told!.text).toMatch(/^FORWARDING_REFUSED: .*daves-service\.eth: unknown user/);
    expect(others).toMatchObject([{ text: 'behind the notice' }]);
  });

  it('is not told to a machine', async () => {
    await fake.write({ from: 'robot', to: 'dave.eth', text: 'beep', automatic: true });
    expect(await settled('robot', 2)).toMatchObject([
      { direction: 'to-dm3', state: 'failed' },
      { direction: 'notice', state: 'delivered', code: 'NOTICE_WITHHELD' },
    ]);
    expect(fake.arrivedFor('robot')).toEqual([]);
  });

  it('is not followed by a notice about the notice', async () => {
    fake.setMood('nick', 'refuse');
    await fake.write({ from: 'nick', to: 'dave.eth', text: 'to dave' });
    expect(await settled('nick', 2)).toMatchObject([
      { direction: 'to-dm3', state: 'failed', code: 'FORWARDING_REFUSED' },
      { direction: 'notice', state: 'failed', code: 'REFUSED' },
    ]);

    fake.setMood('rex', 'refuse');
    await dave.send({ to: ghostOf('rex'), text: 'to rex' });
    expect(await settled('rex', 2)).toMatchObject([
      { direction: 'from-dm3', state: 'failed', code: 'REFUSED' },
      { direction: 'to-dm3', state: 'failed', code: 'FORWARDING_REFUSED' },
    ]);
    // A failure and what follows from it are one transaction: there is nothing more to come.
    expect([await states('nick'), await states('rex')].map((all) => all.length)).toEqual([2, 2]);
  });

  it('is given up when its time is over, and its author told what the last answer was', async () => {
    fleeting.setMood('fred', 'lose');
    const hash = await bob.send({ to: ghostOf('fred', 'fleeting'), text: 'hurry' });
    expect(await notice(bob, hash)).toMatch(/time was over\. Last answer: The fake network broke off\.$/);
    expect(fleeting.attempts.length).toBeGreaterThan(1);
  });
});

describe('a repeated message', () => {
  it('is answered as a duplicate and delivered once', async () => {
    const letter = { from: 'dora', to: 'bob.eth', text: 'said twice', id: 'dora-1' };
    const first = await fake.write(letter);
    const second = await fake.write(letter);
    expect([first.status, second.status]).toEqual(['accepted', 'duplicate']);
    expect(second.id).toBe(first.id);
    await fake.write({ from: 'dora', to: 'bob.eth', text: 'said after it' });
    await received(bob, 'said after it');
    const copies = (await bob.inbox()).filter(({ message }) => message.message === 'said twice');
    expect(copies).toHaveLength(1);
  });

  it('is another one for another receiver', async () => {
    const letter = { from: 'dora', text: 'to both', id: 'dora-2' };
    expect((await fake.write({ ...letter, to: 'bob.eth' })).status).toBe('accepted');
    expect((await fake.write({ ...letter, to: 'alice.eth' })).status).toBe('accepted');
    await received(alice, 'to both');
  });
});

describe('a conversation', () => {
  let older: Letter;
  let latest: Letter;
  beforeAll(async () => {
    await fake.write({ from: 'tina', to: 'bob.eth', text: 'about tea', thread: 'tea' });
    older = await received(bob, 'about tea');
    await fake.write({ from: 'tina', to: 'bob.eth', text: 'about cake', thread: 'cake' });
    latest = await received(bob, 'about cake');
  });

  const threadOf = async (text: string) =>
    eventually(text, async () => fake.arrivedFor('tina').find((parcel) => parcel.text === text)?.thread);

  it('goes on in the latest thread without a word about which', async () => {
    await bob.send({ to: ghostOf('tina'), text: 'no token' });
    expect(await threadOf('no token')).toBe('cake');
  });

  it('goes on in the thread whose token comes back', async () => {
    const instruction = older.message.metadata.replyDeliveryInstruction;
    expect(instruction).toBeDefined();
    await bob.send({ to: ghostOf('tina'), text: 'with token', instruction });
    expect(await threadOf('with token')).toBe('tea');
  });

  it('follows a reference to a message of another thread', async () => {
    await bob.send({ to: ghostOf('tina'), text: 'more cake', answers: latest.hash });
    expect(await threadOf('more cake')).toBe('cake');
  });

  it('is nobody else’s: another person’s token leads nowhere, nor does a forged one', async () => {
    const { replyDeliveryInstruction: instruction } = older.message.metadata;
    await alice.send({ to: ghostOf('tina'), text: 'with bob’s token', instruction });
    expect(['tea', 'cake']).not.toContain(await threadOf('with bob’s token'));
    await bob.send({ to: ghostOf('tina'), text: 'forged', instruction: `${instruction!.slice(0, -4)}AAAA` });
    expect(await threadOf('forged')).toBe('cake');
  });

  it('is not split by a notice', async () => {
    fake.setMood('tina', 'refuse');
    const hash = await bob.send({ to: ghostOf('tina'), text: 'take that back', type: 'DELETE_REQUEST' });
    await notice(bob, hash);
    fake.setMood('tina', 'take');
    await bob.send({ to: ghostOf('tina'), text: 'after the notice' });
    expect(await threadOf('after the notice')).toBe('cake');
  });
});

describe('the message map', () => {
  it('ties answers together over both networks', async () => {
    const question = await fake.write({ from: 'mara', to: 'bob.eth', text: 'a question' });
    const { hash: asked } = await received(bob, 'a question');
    const answer = await bob.send({ to: ghostOf('mara'), text: 'an answer', answers: asked });
    const [parcel] = await arrived('mara');
    expect(parcel).toMatchObject({ kind: 'reply', text: 'an answer', target: question.remoteId });

    await fake.write({ from: 'mara', to: 'bob.eth', text: 'thank you', inReplyTo: [parcel!.id] });
    const { message } = await received(bob, 'thank you');
    expect(message.metadata).toMatchObject({ type: 'REPLY', referenceMessageHash: answer });

    await fake.write({ from: 'mara', to: 'bob.eth', text: '👍', type: 'reaction', inReplyTo: [parcel!.id] });
    expect((await received(bob, '👍')).message.metadata).toMatchObject({
      type: 'REACTION',
      referenceMessageHash: answer,
    });
  });

  it('knows nothing of other people’s messages', async () => {
    const { remoteId } = await fake.write({ from: 'mara', to: 'bob.eth', text: 'for bob alone' });
    const { hash } = await received(bob, 'for bob alone');
    await fake.write({ from: 'mara', to: 'alice.eth', text: 'for alice', inReplyTo: [remoteId] });
    expect((await received(alice, 'for alice')).message.metadata.type).toBe('NEW');
    await alice.send({ to: ghostOf('mara'), text: 'from alice', answers: hash });
    const parcel = await eventually('it', async () =>
      fake.arrivedFor('mara').find(({ text }) => text === 'from alice'),
    );
    expect(parcel.target).toBeNull();
  });
});

describe('what a network can carry', () => {
  it('gets a reaction as it is, and an edit in words', async () => {
    const { remoteId } = await fake.write({ from: 'cleo', to: 'bob.eth', text: 'a joke' });
    const { hash } = await received(bob, 'a joke');
    await bob.send({ to: ghostOf('cleo'), text: '😂', type: 'REACTION', answers: hash });
    await bob.send({ to: ghostOf('cleo'), text: 'better said', type: 'EDIT', answers: hash });
    expect(await arrived('cleo', 2)).toMatchObject([
      { kind: 'reaction', text: '😂', target: remoteId },
      { kind: 'reply', text: 'Edited:\n\nbetter said', target: remoteId },
    ]);
  });

  it('never hears of read receipts, nor does their author', async () => {
    const { hash } = await received(bob, 'a joke');
    const receipt = await bob.send({ to: ghostOf('cleo'), text: '', type: 'READ_OPENED', answers: hash });
    await bob.send({ to: ghostOf('cleo'), text: 'after the receipt' });
    const parcels = await arrived('cleo', 3);
    expect(parcels.at(-1)).toMatchObject({ text: 'after the receipt' });
    expect(await notices(bob, receipt)).toEqual([]);
    expect(await states('cleo')).toContainEqual(expect.objectContaining({ code: 'LEFT_OUT_BY_RULE' }));
  });

  it('is left out where a receipt is about nothing that the receiver knows, and refused where a deletion is', async () => {
    const about = { from: 'paul', to: 'bob.eth', text: '', inReplyTo: ['never-heard-of' as RemoteId] };
    await fake.write({ ...about, type: 'read-opened' });
    await fake.write({ ...about, type: 'delete' });
    await fake.write({ from: 'paul', to: 'bob.eth', text: 'after both' });
    await received(bob, 'after both');
    const [refusal, ...others] = await arrived('paul');
    expect(refusal).toMatchObject({ kind: 'notice', text: expect.stringMatching(/^REFERENCE_UNKNOWN: It is about/) });
    expect(others).toEqual([]);
    const outcomes = (await states('paul')).filter(({ direction }) => direction === 'to-dm3');
    expect(outcomes).toMatchObject([
      { state: 'delivered', code: 'REFERENCE_UNKNOWN' },
      { state: 'failed', code: 'REFERENCE_UNKNOWN' },
      { state: 'delivered', code: null },
    ]);
    const letters = (await bob.inbox()).filter(({ message }) => message.metadata.from === ghostOf('paul'));
    expect(letters).toHaveLength(1);
  });

  it.each([
    ['a deletion', { text: '', type: 'DELETE_REQUEST' }, /cannot be taken back/],
    ['a text that is too long', { text: 'x'.repeat(10_001) }, /longer than the 10000 bytes/],
    [
      'attachments that are too large',
      { text: 'see', attachments: [{ name: 'a', data: `data:text/plain;base64,${'A'.repeat(1_400)}` }] },
      /attachments have 1050 bytes.*takes 1000 at most/,
    ],
  ] as const)('refuses %s and says why', async (_, draft, reason) => {
    const hash = await bob.send({ to: ghostOf('rolf'), ...draft });
    expect(await notice(bob, hash)).toMatch(reason);
    expect(fake.arrivedFor('rolf')).toEqual([]);
  });
});
