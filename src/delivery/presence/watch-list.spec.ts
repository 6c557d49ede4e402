import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { addressOf } from '../../../test/support/delivery-world.js';
import { NotPermittedError } from '../permissions/errors.js';
import { NobodyToWatchError, TooManyWatchedError } from './errors.js';
import { WatchList, type PresenceNews } from './watch-list.js';

const [ALICE, BOB] = [addressOf('a'), addressOf('b')];

const watching = new Set<(online: boolean) => void>();
const news: PresenceNews[] = [];
const counterpart = jest.fn(async (_permission: string, _asker: string, name: string) => {
  if (name === 'shy.eth') throw new NotPermittedError({ permission: 'presence', by: 'other' });
  return BOB;
});
const presence = {
  watch: (_watcher: unknown, _watched: unknown, tell: (online: boolean) => void) => {
    watching.add(tell);
    return () => watching.delete(tell);
  },
};

let list: WatchList;
beforeEach(() => {
  watching.clear();
  news.length = 0;
  list = new WatchList({ permissions: { counterpart } as never, presence: presence as never }, ALICE, (each) =>
    news.push(each),
  );
});

describe('WatchList', () => {
  it('tells of accounts by the name that the client wrote, and watches each once', async () => {
    for (const ensName of ['Bob.eth', 'Bob.eth']) await list.add({ ensName });
    expect(watching.size).toBe(1);
    for (const tell of watching) tell(true);
    expect(news).toEqual([{ ensName: 'Bob.eth', online: true }]);
    expect(counterpart).toHaveBeenLastCalledWith('presence', ALICE, 'Bob.eth');
  });

  it('lets go of one, of all, and of one that is still being looked up', async () => {
    const adding = list.add({ ensName: 'bob.eth' });
    list.remove({ ensName: 'bob.eth' });
    const again = list.add({ ensName: 'bob.eth' });
    await Promise.all([adding, again]);
    expect(watching.size).toBe(1);
    list.remove({ ensName: 'bob.eth' });
    expect(watching.size).toBe(0);
    for (const ensName of ['one.eth', 'two.eth']) await list.add({ ensName });
    list.clear();
    expect(watching.size).toBe(0);
  });

  it('has no place for those who do not permit it, or beyond a thousand', async () => {
    await expect(list.add({ ensName: 'shy.eth' })).rejects.toThrow(NotPermittedError);
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => list.add({ ensName: `${n}.eth` })));
    await expect(list.add({ ensName: 'one-more.eth' })).rejects.toThrow(TooManyWatchedError);
    list.remove({ ensName: '7.eth' });
    await list.add({ ensName: 'one-more.eth' });
    expect(watching.size).toBe(1_000);
  });

  it.each([undefined, null, 'bob.eth', {}, { ensName: 7 }, { ensName: 'x'.repeat(1_001) }])(
    'does not know whom %j means',
    async (data) => {
      await expect(list.add(data)).rejects.toThrow(NobodyToWatchError);
      expect(() => list.remove(data)).toThrow(NobodyToWatchError);
    },
  );
});
