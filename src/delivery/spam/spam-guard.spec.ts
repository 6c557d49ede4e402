import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startChainLink, type ChainLink } from '../../../test/support/chain-link.js';
import { createToken, setBalance, setNonce, setTokenBalance } from '../../../test/support/chain-state.js';
import { DeliveryWorld } from '../../../test/support/delivery-world.js';
import type { EnsName, EthAddress } from '../../common/ids.js';
import type { Person } from '../../sandbox/people.js';
import { SpamRefusedError } from './errors.js';
import type { SpamRules } from './rules.js';

const ETHER = 10n ** 18n;

let link: ChainLink;
let world: DeliveryWorld;
let bob: Person;
let rich: Person;
let poor: Person;
let token: EthAddress;

beforeAll(async () => {
  link = await startChainLink();
  world = await DeliveryWorld.open('spam', link.rpcUrl);
  rich = await world.person('rich.eth');
  poor = await world.person('poor.eth');
  token = await createToken();
  await Promise.all([
    setNonce(rich.address, 5),
    setBalance(rich.address, ETHER),
    setTokenBalance(token, rich.address, 300n),
  ]);
});
beforeEach(async () => {
  bob = await world.person('bob.eth', { signUp: true });
});
afterAll(async () => {
  await world.close();
  await link.stop();
});

const asks = (rules: SpamRules) => world.spam.setRules(bob.address, rules);
const send = (from: Person, as: { fromName?: string } = {}) =>
  world.submissions.submit(world.envelope({ from, to: bob, text: 'hi', ...as }));
const refusedBy = (rule: string) => ({ code: 'SPAM_REFUSED', kind: 'spam', facts: expect.objectContaining({ rule }) });
const waiting = async () => (await world.inbox(bob)).length;

describe('on the chain', () => {
  it.each([
    ['transactions', () => ({ minNonce: 5 }), 'minNonce', /at least 5 transactions/],
    ['ether', () => ({ minBalance: String(ETHER) }), 'minBalance', /at least 1000000000000000000 wei/],
    [
      'tokens',
      () => ({ minTokenBalance: { address: token, amount: '300' } }),
      'minTokenBalance',
      /at least 300 units of the token 0x/,
    ],
  ])('a sender needs enough %s', async (_, rules, rule, message) => {
    await asks(rules());
    expect(await send(rich)).toBe('accepted');
    await expect(send(poor)).rejects.toThrow(SpamRefusedError);
    await expect(send(poor)).rejects.toMatchObject({ ...refusedBy(rule), message: expect.stringMatching(message) });
    expect(await waiting()).toBe(1);
  });

  it('a sender is who signed, not whom the envelope names', async () => {
    await asks({ minBalance: '1' });
    await expect(send(poor, { fromName: rich.name })).rejects.toMatchObject({ code: 'SENDER_FORGED' });
    await expect(send(rich, { fromName: 'nobody-at-all.eth' })).rejects.toMatchObject(refusedBy('minBalance'));
    const unknown = { fromName: `${rich.address}.addr.elsewhere.eth` };
    await expect(send(rich, unknown)).rejects.toMatchObject(refusedBy('minBalance'));
    expect(await waiting()).toBe(0);
  });

  it('a sender gets through as soon as the account has what it takes', async () => {
    const saver = await world.person('saver.eth');
    await asks({ minBalance: '10' });
    await expect(send(saver)).rejects.toThrow(SpamRefusedError);
    await setBalance(saver.address, 10n);
    world.clock.time += 60_000;
    expect(await send(saver)).toBe('accepted');
  });

  it('nothing is decided while no node answers, and then it is', async () => {
    await asks({ minNonce: 5 });
    const newcomer = await world.person('newcomer.eth');
    await setNonce(newcomer.address, 9);
    link.cut();
    await expect(send(newcomer)).rejects.toMatchObject({ code: 'NAMING_UNAVAILABLE', retryable: true });
    link.mend();
    expect(await send(newcomer)).toBe('accepted');
  });

  it('a token must be there to be asked for', async () => {
    await asks({ minNonce: 1 });
    const nowhere = { address: `0x${'12'.repeat(20)}`, amount: '1' };
    await expect(asks({ minTokenBalance: nowhere })).rejects.toThrow(/no ERC-20 token at 0x1212/);
    expect(await world.spam.rules(bob.address)).toEqual({ minNonce: 1 });
  });
});

describe('by name', () => {
  it('people are known under every name of theirs', async () => {
    await asks({ allow: [rich.name], block: ['.eth'] });
    expect(await send(rich)).toBe('accepted');
    await expect(send(poor)).rejects.toMatchObject(refusedBy('block'));

    const same = await world.person('same.eth', { signUp: true });
    await asks({ block: [same.name] });
    const asAddress = { fromName: `${same.address}.addr.gateway.eth` };
    await expect(send(same, asAddress)).rejects.toMatchObject(refusedBy('block'));
  });

  it('an ending is that of the name which an address calls itself', async () => {
    const member = await world.person('member.dao.eth', { signUp: true });
    const asAddress = { fromName: `${member.address}.addr.gateway.eth` };
    await asks({ allow: ['.dao.eth'], minNonce: 1 });
    await expect(send(member, asAddress)).rejects.toMatchObject(refusedBy('minNonce'));
    world.ens.setPrimaryName(member.address, 'member.dao.eth' as EnsName);
    expect(await send(member, asAddress)).toBe('accepted');
  });
});

describe('the rules', () => {
  it('are kept with the names written out, and the refusal tells nothing of the lists', async () => {
    const kept = await asks({ block: ['POOR.eth', '.spam.eth'] });
    expect(kept).toEqual({ block: ['poor.eth', '.spam.eth'] });
    expect(await world.spam.rules(bob.address)).toEqual(kept);
    const refusal = await send(poor).catch((error: SpamRefusedError) => error);
    expect(JSON.stringify([refusal, (refusal as Error).message])).not.toMatch(/poor|spam\.eth/);
  });

  it('stay when the profile is handed in again', async () => {
    await asks({ minNonce: 5 });
    await world.accounts.submitProfile(bob.name, bob.profile);
    expect(await world.spam.rules(bob.address)).toEqual({ minNonce: 5 });
    await expect(send(poor)).rejects.toThrow(SpamRefusedError);
  });

  it('are seen here at once and by another process within seconds', async () => {
    const elsewhere = world.spamGuard();
    expect(await elsewhere.thresholds(bob.address)).toEqual({});
    expect(await world.spam.thresholds(bob.address)).toEqual({});
    await asks({ minNonce: 5, block: ['poor.eth'] });
    expect(await world.spam.thresholds(bob.address)).toEqual({ minNonce: 5 });
    world.clock.time += 3_000;
    expect(await elsewhere.thresholds(bob.address)).toEqual({ minNonce: 5 });
  });

  it('refuse no notice of the gateway’s own', async () => {
    await asks({ minNonce: 5, block: ['.eth'], requireVerifiedSender: true });
    const envelope = world.envelope({ from: poor, to: bob, text: 'notice' });
    expect(await world.submissions.submit(envelope, 'notice')).toBe('accepted');
  });

  it('cost nothing where there are none', async () => {
    const { calls } = link;
    expect(await send(poor)).toBe('accepted');
    expect(link.calls).toBe(calls);
  });
});
