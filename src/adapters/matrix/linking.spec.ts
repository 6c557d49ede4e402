import { beforeEach, describe, expect, it } from '@jest/globals';
import { GatewayError } from '../../common/errors.js';
import type { EnsName, EthAddress } from '../../common/ids.js';
import type { LinkDesk, LinkOffer } from '../../gateway/adapter/adapter.js';
import { ChatCommands } from './chat-commands.js';
import { MatrixLinking } from './linking.js';
import type { Room } from './room.store.js';

const ALICE = '@alice:hs.org';
const SIGNATURE = `0x${'Ab'.repeat(65)}`;
const offer = { name: 'bob.eth' as EnsName, signer: 'wallet', text: 'a <text>\nto sign', secondsLeft: 3_599 } as const;

class KnownError extends GatewayError {
  constructor(code: string, retryable = false) {
    super({ code, kind: 'forbidden', message: `It is ${code}.`, retryable });
  }
}

let calls: unknown[][];
let linkedWith: EnsName | null;
let begun: LinkOffer | null;
let failure: Error | null;
beforeEach(() => {
  [calls, linkedWith, begun, failure] = [[], null, null, null];
});

/** Writes down what it is asked. */
function asked<T>(answer: () => T) {
  return async (...args: unknown[]): Promise<T> => {
    calls.push(args);
    if (failure) throw failure;
    return answer();
  };
}
const desk: LinkDesk = {
  of: asked(() => linkedWith),
  begun: asked(() => begun),
  begin: asked(() => offer),
  finish: asked(() => 'bob.eth' as EnsName),
  remove: asked(() => linkedWith),
};
const linking = new MatrixLinking({ desk });
const link = (text: string) => linking.answer(ALICE, text.split(/\s+/).filter(Boolean));

describe('!dm3 link', () => {
  it.each([
    ['bob.eth', ['matrix:u/alice:hs.org', 'bob.eth', 'wallet']],
    ['bob.eth wallet', ['matrix:u/alice:hs.org', 'bob.eth', 'wallet']],
    ['bob.eth DM3', ['matrix:u/alice:hs.org', 'bob.eth', 'profile']],
    ['http://bob.eth/ dm3', ['matrix:u/alice:hs.org', 'bob.eth', 'profile']],
    ['`bob.eth`', ['matrix:u/alice:hs.org', 'bob.eth', 'wallet']],
    [`bob.eth ${SIGNATURE}`, ['matrix:u/alice:hs.org', 'bob.eth', SIGNATURE]],
    [`bob.eth dm3 \`c2ln\nbmF0/+==\``, ['matrix:u/alice:hs.org', 'bob.eth', 'c2lnbmF0/+==']],
    [`bob.eth wallet "${SIGNATURE}"`, ['matrix:u/alice:hs.org', 'bob.eth', SIGNATURE]],
  ])('%s', async (text, call) => {
    await link(text);
    expect(calls).toEqual([call]);
  });

  it('shows the text in a block of its own, how long there is, and the other way', async () => {
    const answer = await link('bob.eth');
    expect(answer).toContain('\n\n```\na <text>\nto sign\n```\n\n');
    expect(answer).toContain('`!dm3 link bob.eth <signature>` here, within 59 minutes');
    expect(answer).toContain('`!dm3 link bob.eth dm3`');
  });

  it('says how things stand', async () => {
    expect(await link('')).toMatch(/^@alice:hs\.org is not linked with a dm3 name\. /);
    begun = offer;
    expect(await link('')).toMatch(/A link with bob\.eth waits for a signature\. Sign this text/);
    [linkedWith, begun] = ['bob.eth' as EnsName, null];
    expect(await link('')).toBe('@alice:hs.org is linked with bob.eth. `!dm3 unlink` takes it back.');
    expect(await linking.unlink(ALICE)).toBe(
      'The link is removed: nobody is told any more that @alice:hs.org is bob.eth.',
    );
    linkedWith = null;
    expect(await linking.unlink(ALICE)).toBe('@alice:hs.org is not linked with a dm3 name.');
  });

  it('gives the reason where something is refused, and is answered later where that may help', async () => {
    failure = new KnownError('LINK_FORGED');
    expect(await link(`bob.eth ${SIGNATURE}`)).toBe('It is LINK_FORGED.');
    failure = new KnownError('LINK_NOT_BEGUN');
    expect(await link(`bob.eth ${SIGNATURE}`)).toMatch(/`!dm3 link <name>` begins one/);
    failure = new KnownError('NAMING_UNAVAILABLE', true);
    await expect(link('bob.eth')).rejects.toBe(failure);
    failure = new TypeError('a bug');
    await expect(link('bob.eth')).rejects.toBe(failure);
  });

  it('is answered where nobody can be linked', async () => {
    expect(await new MatrixLinking({ desk: undefined }).answer(ALICE, ['bob.eth'])).toMatch(/links nobody/);
  });
});

describe('In a chat', () => {
  const room: Room = {
    id: 'x',
    state: 'open',
    toldEncrypted: false,
    roomId: '!room',
    ghost: '@dm3_bob.eth:hs.org',
    name: 'bob.eth' as EnsName,
    identity: '0x' as EthAddress,
    user: ALICE,
  };
  const sent: unknown[] = [];
  const commands = new ChatCommands({
    botId: '@dm3bot:hs.org',
    answer: async ({ sender }, { verb, words }) =>
      verb === 'unlink' ? linking.unlink(sender) : linking.answer(sender, words),
    api: {
      send: async (...args) => {
        sent.push(args);
        return '$answer';
      },
    },
  });
  const say = (content: Readonly<Record<string, unknown>>, type = 'm.room.message') =>
    commands.handle(room, { type, event_id: '$asked', room_id: '!room', sender: ALICE, content });
  const text = (body: string) => ({ msgtype: 'm.text', body });
  beforeEach(() => void (sent.length = 0));

  it('a command is answered by the ghost, as code that can be copied', async () => {
    expect(await say(text('!dm3 link bob.eth'))).toBe(true);
    expect(sent).toEqual([
      [
        { as: room.ghost, room: '!room', txn: expect.stringMatching(/^dm3\.answer\./) },
        'm.room.message',
        expect.objectContaining({
          msgtype: 'm.notice',
          formatted_body: expect.stringContaining('<pre><code>a &lt;text&gt;\nto sign</code></pre>'),
          'm.relates_to': { 'm.in_reply_to': { event_id: '$asked' } },
        }),
      ],
    ]);
  });

  it.each([
    [text('  !DM3   Link')],
    [text('!dm3')],
    [text('!dm3 bridge bob.eth')],
    [text('!dm3 unlink')],
    [text('> <@dm3_bob.eth:hs.org> Sign this\n\n!dm3 link bob.eth 0x00')],
    [{ ...text('* !dm3 link'), 'm.new_content': text('!dm3 link') }],
  ])('%j is one', async (content) => expect(await say(content)).toBe(true));

  it.each([
    [text('!dm3link')],
    [text('say !dm3 link')],
    [{ msgtype: 'm.notice', body: '!dm3 link' }],
    [{ msgtype: 'm.text', body: 7 }],
  ])('%j is none', async (content) => {
    expect(await say(content)).toBe(false);
    expect(sent).toEqual([]);
  });

  it('nor is what only looks like a message', async () => {
    expect(await say(text('!dm3 link'), 'm.sticker')).toBe(false);
  });
});
