import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import type { EthAddress } from '../../common/ids.js';
import { CodeRefusedError, CodeTooSoonError } from './errors.js';
import { OneTimeCodes, type IssuedCode, type Proof } from './one-time-codes.js';

const ANN: Proof = { account: accountOf('a'), recipient: 'ann@example.org', purpose: 'notification' };

let storage: TestStorage;
let codes: OneTimeCodes;
beforeAll(async () => {
  storage = await openTestStorage('one_time_codes');
  codes = new OneTimeCodes(storage.sealer);
});
beforeEach(() => storage.db.query('TRUNCATE notification_code'));
afterAll(() => storage.close());

function accountOf(digit: string): EthAddress {
  return `0x${digit.repeat(40)}` as EthAddress;
}

const issue = (proof: Proof): Promise<IssuedCode> => storage.db.transaction((tx) => codes.issue(tx, proof));
const check = (proof: Proof, code: string): Promise<boolean> =>
  storage.db.transaction((tx) => codes.check(tx, proof, code));

describe('A one-time code', () => {
  it('is good once, for what it was made for', async () => {
    const { code } = await issue(ANN);
    await expect(check({ ...ANN, purpose: 'link' }, code)).rejects.toThrow(CodeRefusedError);
    await expect(check({ ...ANN, account: accountOf('b') }, code)).rejects.toThrow(CodeRefusedError);
    expect(await check({ ...ANN, recipient: 'ben@example.org' }, code)).toBe(false);
    expect(await check(ANN, code)).toBe(true);
    await expect(check(ANN, code)).rejects.toThrow(CodeRefusedError);
  });

  it('stays good when the account asks for another one for something else', async () => {
    const { code } = await issue(ANN);
    await storage.db.query("UPDATE notification_code SET sent_at = sent_at - interval '1 minute'");
    await issue({ ...ANN, purpose: 'link' });
    expect(await check(ANN, code)).toBe(true);
  });

  it('is not sent more often to a mailbox because many ask at once', async () => {
    const wanted = Array.from('0123456789', (digit) => issue({ ...ANN, account: accountOf(digit) }));
    const outcomes = await Promise.allSettled(wanted);
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as Error] : []));
    expect(refused).toHaveLength(5);
    for (const refusal of refused) expect(refusal).toBeInstanceOf(CodeTooSoonError);
  });
});
