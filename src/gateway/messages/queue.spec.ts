import { randomBytes } from 'node:crypto';
import { describe, expect, it, jest } from '@jest/globals';
import * as fc from 'fast-check';
import { addressOf } from '../../../test/support/delivery-world.js';
import type { MessageId, NetworkId } from '../../common/ids.js';
import { Outbox, type OutboxEntry } from '../../outbox/outbox.js';
import { createNobleProvider } from '../../protocol/crypto/noble.js';
import type { Tx } from '../../storage/database.js';
import { Sealer } from '../../storage/sealer.js';
import { derivedId, ITEM, MessageQueue } from './queue.js';

const ID = '5b0ddc1f-6a1c-4d0e-8f52-6a6f7d3f4c11' as MessageId;
const [BOB, CAROL] = [addressOf('b'), addressOf('c')];
const tx = {} as Tx;

const HOURLY = { byNetwork: { matrix: 0, xmtp: 60 }, others: 3_600 };

function queueWith(expirySeconds: Record<string, number> = {}) {
  const outbox = new Outbox('test');
  const entries: OutboxEntry[] = [];
  jest.spyOn(outbox, 'enqueue').mockImplementation(async (_, entry) => void entries.push(entry));
  const secrets = { rootSecret: randomBytes(32), storageKeys: [{ id: 1, key: randomBytes(32) }] as const };
  const sealer = new Sealer(createNobleProvider(), randomBytes, secrets);
  return { queue: new MessageQueue({ outbox, sealer, expirySeconds, delayNotice: HOURLY }), entries };
}
const toEmail = { from: BOB, to: CAROL, network: 'email' as NetworkId, destination: 'example.org' };

describe('MessageQueue', () => {
  it('puts both ways of two people, and each destination, into lines of their own', async () => {
    const { queue, entries } = queueWith();
    await queue.toDm3(tx, ID, { from: CAROL, to: BOB });
    await queue.toForeign(tx, ID, ITEM.fromDm3, toEmail);
    await queue.toForeign(tx, ID, ITEM.notice, toEmail);
    await queue.toForeign(tx, ID, ITEM.fromDm3, { ...toEmail, destination: 'example.com' });
    const [toDm3, fromDm3, notice, elsewhere] = entries as [OutboxEntry, OutboxEntry, OutboxEntry, OutboxEntry];
    expect(entries.map(({ kind, network, ref }) => [kind, network, ref])).toEqual([
      ['to-dm3', 'dm3', ID],
      ['from-dm3', 'email', ID],
      ['notice', 'email', ID],
      ['from-dm3', 'email', ID],
    ]);
    expect(toDm3.pairKey).not.toEqual(fromDm3.pairKey);
    expect(notice.pairKey).toEqual(fromDm3.pairKey);
    expect(notice.destinationKey).toEqual(fromDm3.destinationKey);
    expect(elsewhere.destinationKey).not.toEqual(fromDm3.destinationKey);
  });

  it('gives each network its time, and settings the last word', async () => {
    const days = async (network: string, expirySeconds: Record<string, number>) => {
      const { queue, entries } = queueWith(expirySeconds);
      await queue.toForeign(tx, ID, ITEM.fromDm3, { ...toEmail, network: network as NetworkId });
      return entries[0]!.expiresInSeconds / 86_400;
    };
    expect(await days('email', {})).toBe(5);
    expect(await days('matrix', {})).toBe(7);
    expect(await days('email', { email: 86_400 })).toBe(1);
  });

  it('tells authors of a delay after an hour, or as the settings say for a network', async () => {
    const after = async (network: string) => {
      const { queue, entries } = queueWith();
      await queue.toForeign(tx, ID, ITEM.fromDm3, { ...toEmail, network: network as NetworkId });
      return entries[0]!.noticeInSeconds;
    };
    expect([await after('email'), await after('matrix'), await after('xmtp')]).toEqual([3_600, null, 60]);
  });

  it('puts messages for one delivery service into its lane, and guesses where it is not known', async () => {
    const { queue, entries } = queueWith();
    await queue.toDm3(tx, ID, { from: CAROL, to: BOB, service: 'ds.eth', isBulk: true });
    await queue.toDm3(tx, ID, { from: BOB, to: CAROL, service: 'ds.eth' });
    await queue.toDm3(tx, ID, { from: CAROL, to: BOB, service: null });
    const lane = queue.lane('dm3', 'ds.eth');
    expect(entries.map(({ destinationKey }) => Buffer.compare(destinationKey, lane.key))).toEqual([
      0,
      0,
      expect.not.closeTo(0),
    ]);
    expect(entries).toMatchObject([{ isGuess: false, isBulk: true }, { isGuess: false }, { isGuess: true }]);
    expect(queue.laneName({ key: Buffer.from(lane.key), sealedName: Buffer.from(lane.sealedName) })).toBe('ds.eth');
  });
});

describe('derivedId', () => {
  it('is a UUID, the same for the same parts and another for others', () => {
    const parts = fc.array(fc.string(), { maxLength: 3 });
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        const id = derivedId(...one);
        expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(derivedId(...one)).toBe(id);
        expect(derivedId(...other) === id).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
    );
    expect(derivedId('a', 'b')).not.toBe(derivedId('ab'));
  });
});
