import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { addressOf } from '../../../test/support/delivery-world.js';
import { createNobleProvider } from '../../protocol/crypto/noble.js';
import { Sealer } from '../../storage/sealer.js';
import { PageCursors } from './page-cursor.js';

const secrets = { rootSecret: randomBytes(32), storageKeys: [{ id: 1, key: randomBytes(32) }] as const };
const cursors = new PageCursors(new Sealer(createNobleProvider(), randomBytes, secrets));
const [ALICE, BOB] = [addressOf('a'), addressOf('b')];

describe('a page cursor', () => {
  it('leads back to its position, and fits into a header and a query', () => {
    const cursor = cursors.write(ALICE, '9223372036854775807');
    expect(cursor).toMatch(/^[\w-]{1,120}$/);
    expect(cursors.read(ALICE, cursor)).toBe('9223372036854775807');
  });

  it('says nothing to the one who carries it', () => {
    const cursor = cursors.write(ALICE, '12345');
    expect(Buffer.from(cursor, 'base64url').includes('12345')).toBe(false);
    expect(cursors.write(ALICE, '12345')).not.toBe(cursor);
  });

  it.each([
    ['of another account', () => cursors.write(BOB, '1')],
    ['that was changed', () => `${cursors.write(ALICE, '1').slice(0, -2)}AA`],
    ['of one’s own making', () => 'MTIzNDU'],
    ['that is empty', () => ''],
  ])('%s is refused', (_, cursor) => {
    expect(() => cursors.read(ALICE, cursor())).toThrow(expect.objectContaining({ code: 'INVALID_CURSOR' }));
  });
});
