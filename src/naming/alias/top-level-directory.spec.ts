import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { EnsName } from '../../common/ids.js';
import type { EventLog } from '../../ops/event-log.js';
import { NamingUnavailableError } from '../errors.js';
import { PublishedAliases } from './published-aliases.js';
import type { AliasRegistryReader } from './registry-reader.js';
import { TopLevelDirectory } from './top-level-directory.js';

const TTL_MS = 60_000;
const PAUSE_MS = 5_000;
const SHIPPED = new Map([['gno', 'gnosis.eth']]);
const outage = new NamingUnavailableError({ subject: 'The alias', reason: 'no Ethereum node answered' });

/** What the contract holds; null while it cannot be reached. */
let contract: Map<string, string> | null;
let now: number;
const read = jest.fn<AliasRegistryReader['read']>();
const readAll = jest.fn<AliasRegistryReader['readAll']>();
const log = { debug: jest.fn(), info: jest.fn(), warn: jest.fn(), error: jest.fn() };

beforeEach(() => {
  [contract, now] = [new Map(), 0];
  jest.clearAllMocks();
  read.mockImplementation(async (toplevel) => reached().get(toplevel) ?? null);
  readAll.mockImplementation(async () => new Map(reached()));
});

function reached(): Map<string, string> {
  if (!contract) throw outage;
  return contract;
}

function directory(settings: ReadonlyMap<string, string> = SHIPPED): TopLevelDirectory {
  const clock = { now: () => now };
  const published = new PublishedAliases({ reader: { read, readAll }, clock, log: log as EventLog, ttlMs: TTL_MS });
  return new TopLevelDirectory(settings, published);
}

const expand = (table: TopLevelDirectory, name: string) => table.expand(name as EnsName, () => true);

describe.each([
  ['a contract that lists its aliases', true],
  ['a contract that does not', false],
])('TopLevelDirectory over %s', (_, lists) => {
  beforeEach(() => {
    if (!lists) readAll.mockImplementation(async () => (reached(), null));
  });

  it('knows what is shipped, until the contract says otherwise', async () => {
    const table = directory();
    await expect(expand(table, 'max.gno')).resolves.toBe('max.gnosis.eth');
    contract!.set('gno', 'gnosis.dao.eth');
    now = TTL_MS - 1;
    await expect(expand(table, 'max.gno')).resolves.toBe('max.gnosis.eth');
    now = TTL_MS;
    await expect(expand(table, 'max.gno')).resolves.toBe('max.gnosis.dao.eth');
    expect(table.shorten('max.gnosis.dao.eth' as EnsName)).toBe('max.gno');
  });

  it('leaves other names as they are', async () => {
    await expect(expand(directory(), 'max.eth')).resolves.toBe('max.eth');
  });

  it('takes the longest top level, and follows aliases to others', async () => {
    contract = new Map([
      ['a.b', 'long.gw'],
      ['b', 'short.eth'],
      ['gw', 'gateway.eth'],
    ]);
    const table = directory();
    await expect(expand(table, 'x.a.b')).resolves.toBe('x.long.gateway.eth');
    await expect(expand(table, 'x.c.b')).resolves.toBe('x.c.short.eth');
  });

  it.each([
    ['itself', { eth: 'sub.eth' }, 'bob.sub.eth'],
    ['one another', { a: 'x.b', b: 'y.a', eth: 'z.a' }, 'bob.z.x.y.a'],
  ])('ends where aliases lead to %s', async (__, entries: Record<string, string>, end) => {
    contract = new Map(Object.entries(entries));
    await expect(expand(directory(), 'bob.eth')).resolves.toBe(end);
  });

  it('knows from the start how names are shown', async () => {
    contract!.set('gno', 'gnosis.dao.eth');
    const table = directory();
    await table.start();
    expect(table.shorten('max.gnosis.dao.eth' as EnsName)).toBe('max.gno');
  });

  it('goes on with what it knew last while the contract is out of reach, and says so once', async () => {
    contract = new Map([['gno', 'gnosis.dao.eth']]);
    const table = directory();
    await expand(table, 'max.gno');
    contract = null;
    for (now = TTL_MS; now < 3 * TTL_MS; now += PAUSE_MS) {
      await expect(expand(table, 'max.gno')).resolves.toBe('max.gnosis.dao.eth');
      await expect(expand(table, 'max.foo')).resolves.toBe('max.foo');
    }
    expect(table.isCurrent).toBe(false);
    expect(log.warn.mock.calls).toEqual([['alias-registry.unreachable', { code: 'NAMING_UNAVAILABLE' }]]);
    contract = new Map([['foo', 'foo.eth']]);
    await expect(expand(table, 'max.foo')).resolves.toBe('max.foo.eth');
    expect(table.isCurrent).toBe(true);
    expect(log.info.mock.calls).toEqual([['alias-registry.back']]);
  });

  it('starts without the contract on what is shipped', async () => {
    contract = null;
    const table = directory();
    await table.start();
    await expect(expand(table, 'max.gno')).resolves.toBe('max.gnosis.eth');
    expect(table.isCurrent).toBe(false);
  });

  it('leaves a contract that does not answer in peace for a while', async () => {
    contract = null;
    const table = directory();
    for (now = 0; now < PAUSE_MS; now += 100) await expand(table, `${now}.gno`);
    expect(readAll).toHaveBeenCalledTimes(1);
    await expand(table, 'max.gno');
    expect(readAll).toHaveBeenCalledTimes(2);
  });

  it('does not hide bugs', async () => {
    readAll.mockRejectedValue(new RangeError('bug'));
    await expect(expand(directory(), 'max.gno')).rejects.toThrow(RangeError);
  });
});

describe('the questions to the contract', () => {
  it('are few where it lists its aliases: one for all names', async () => {
    const table = directory();
    await Promise.all(Array.from({ length: 50 }, (_, index) => expand(table, `a${index}.b${index}.eth`)));
    expect(readAll).toHaveBeenCalledTimes(1);
    expect(read).not.toHaveBeenCalled();
  });

  it('are for the endings of a name of up to three labels where it does not, and once for each', async () => {
    readAll.mockResolvedValue(null);
    const table = directory();
    for (let times = 0; times < 3; times += 1) await expand(table, 'v.w.x.y.z');
    expect(read.mock.calls.flat()).toEqual(['x.y.z', 'y.z', 'z']);
  });
});
