import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { adapterOn } from '../../../test/support/fake-matrix.js';
import { FakeHomeserver } from '../../../test/support/fake-homeserver.js';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import type { EnsName, EthAddress, ForeignAddress, RemoteId } from '../../common/ids.js';
import type { OutgoingMessage, Rendering } from '../../gateway/adapter/adapter.js';
import type { NeutralMessage } from '../../gateway/adapter/message.js';
import type { MatrixAdapter } from './adapter.js';

let storage: TestStorage;
let homeserver: FakeHomeserver;
let adapter: MatrixAdapter;
beforeAll(async () => void (storage = await openTestStorage('sender')));
beforeEach(async () => {
  await storage.db.query('TRUNCATE matrix_room, matrix_ghost, matrix_event, rate_window');
  homeserver = await FakeHomeserver.start();
  adapter = adapterOn(storage, homeserver.url);
});
afterEach(async () => {
  await adapter.stop();
  await homeserver.stop();
});
afterAll(() => storage.close());

const rendered = (
  name: string,
  message: Partial<NeutralMessage>,
  target: RemoteId | null = null,
): Promise<Rendering> => {
  const outgoing: OutgoingMessage = {
    id: createHash('sha256').update(name).digest('hex'),
    from: { name: 'bob.eth' as EnsName, address: `0x${'b0'.repeat(20)}` as EthAddress },
    to: 'matrix:u/alice:hs.test' as ForeignAddress,
    message: { type: 'new', text: '', attachments: [], sentAt: 1_790_000_000_000, ...message },
    conversation: null,
    target,
  };
  return adapter.render(outgoing);
};
const pages = (word: string, count: number) =>
  Array.from({ length: count }, (_, page) => `${word} ${page} ${'x'.repeat(11_000)}`).join('\n\n');
const attachment = (name: string) => ({ name, mediaType: 'image/png', content: { bytes: Uint8Array.of(1, 2, 3) } });

/** Beginnings of what a client shows, in the order of the room. */
function shown(): string[] {
  const news = homeserver.said.filter(({ content }) => !('m.new_content' in content));
  return news.flatMap(({ id, content }) => {
    if (homeserver.redacted.some(({ event }) => event === id)) return [];
    const edits = homeserver.said.filter(({ content: { 'm.relates_to': relation } }) => {
      const { rel_type, event_id } = (relation ?? {}) as Record<string, unknown>;
      return rel_type === 'm.replace' && event_id === id;
    });
    const last = (edits.at(-1)?.content['m.new_content'] ?? content) as Record<string, unknown>;
    return [String(last['body']).split(' ').slice(0, 2).join(' ')];
  });
}

describe('An edit of a message of several events', () => {
  it('leaves nothing of the old text, however often it is changed, by the message or by the edit before', async () => {
    const first = await rendered('first', { text: pages('old', 3) });
    await adapter.send(first);
    expect(shown()).toEqual(['old 0', 'old 1', 'old 2']);
    const shorter = await rendered('shorter', { type: 'edit', text: pages('short', 2) }, first.remoteIds[0]);
    await adapter.send(shorter);
    expect(shown()).toEqual(['short 0', 'short 1']);
    const longer = await rendered('longer', { type: 'edit', text: pages('long', 4) }, shorter.remoteIds[0]);
    await adapter.send(longer);
    expect(shown()).toEqual(['long 0', 'long 1', 'long 2', 'long 3']);
    await adapter.send(await rendered('last', { type: 'edit', text: 'last words' }, longer.remoteIds[0]));
    expect(shown()).toEqual(['last words']);
    const all = await rendered('deletion', { type: 'delete' }, longer.remoteIds[0]);
    await adapter.send(all);
    expect(shown()).toEqual([]);
  });

  it.each([0, 1, 2, 3, 4, 5, 6])('broken off after %i of seven steps goes on there', async (done) => {
    const before = { text: pages('old', 2), attachments: [attachment('old.png')] };
    const first = await rendered('first', before);
    await adapter.send(first);
    const after = { text: pages('new', 4), attachments: [attachment('new.png'), attachment('other.png')] };
    const edit = await rendered('edit', { type: 'edit', ...after }, first.remoteIds[0]);
    homeserver.answers = done;
    await expect(adapter.send(edit)).rejects.toMatchObject({ code: 'HOMESERVER_UNREACHABLE' });
    homeserver.answers = Infinity;
    await adapter.send(edit);
    await adapter.send(edit);
    expect(shown()).toEqual(['new 0', 'new 1', 'new 2', 'new 3', 'new.png', 'other.png']);
    expect(homeserver.said).toHaveLength(9);
    expect(homeserver.redacted).toHaveLength(1);
  });

  it('keeps its files where they are, and takes out those it has no more', async () => {
    const files = [attachment('cat.png'), attachment('dog.png')];
    const first = await rendered('first', { text: 'two pictures', attachments: files });
    await adapter.send(first);
    const words = await rendered('words', { type: 'edit', text: 'my pictures' }, first.remoteIds[0]);
    await adapter.send(words);
    const same = await rendered('same', { type: 'edit', text: 'our pictures', attachments: files }, words.remoteIds[0]);
    await adapter.send(same);
    expect(homeserver.uploads).toBe(2);
    expect(shown()).toEqual(['our pictures', 'cat.png', 'dog.png']);
    const less = { text: 'one picture', attachments: files.slice(1) };
    await adapter.send(await rendered('less', { type: 'edit', ...less }, same.remoteIds[0]));
    expect(homeserver.uploads).toBe(2);
    expect(shown()).toEqual(['one picture', 'dog.png']);
  });
});
