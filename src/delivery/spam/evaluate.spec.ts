import { describe, expect, it } from '@jest/globals';
import type { EthAddress, NetworkId } from '../../common/ids.js';
import { brokenRule, type ChainFacts, type SpamSubject } from './evaluate.js';
import type { SpamRules } from './rules.js';

const MALLORY = `0x${'ba'.repeat(20)}` as EthAddress;
const FRIEND = `0x${'fe'.repeat(20)}` as EthAddress;
const TOKEN = `0x${'70'.repeat(20)}`;
const ADDRESSES = { 'mallory.eth': MALLORY, 'friend.eth': FRIEND };

/** An account that has done three things and holds little. */
const poor: ChainFacts = { nonce: async () => 3n, balance: async () => 5n, tokenBalance: async () => 7n };
const silent: ChainFacts = { nonce: unasked, balance: unasked, tokenBalance: unasked };
async function unasked(): Promise<bigint> {
  throw new Error('The chain was asked.');
}

const mallory: SpamSubject = { names: ['mallory.eth'], address: MALLORY, origin: null };
const masked: SpamSubject = { names: ['mallory.eth'], address: null, origin: null };
const mail = (authenticated: boolean, known: boolean): SpamSubject => ({
  names: ['carol._at.example.org.email.gateway.eth'],
  address: `0x${'ca'.repeat(20)}` as EthAddress,
  origin: { network: 'email' as NetworkId, authenticated, isKnown: async () => known },
});

const broken = async (rules: SpamRules, subject = mallory, facts = silent) =>
  (await brokenRule({ rules, addresses: ADDRESSES }, subject, facts))?.rule ?? null;

describe('the lists', () => {
  it.each([
    ['a name', 'mallory.eth', 'block'],
    ['an address', MALLORY, 'block'],
    ['an ending', '.eth', 'block'],
    ['another name', 'friend.eth', null],
    ['another address', FRIEND, null],
    ['another ending', '.llory.eth', null],
    ['an ending that is the whole name', '.mallory.eth', null],
  ])('know a sender by %s', async (_, entry, rule) => {
    expect(await broken({ block: [entry] })).toBe(rule);
    const allowed = await broken({ allow: [entry], requireVerifiedSender: true, minNonce: 9 }, mallory, poor);
    expect(allowed).toBe(rule === 'block' ? null : 'minNonce');
  });

  it('know people by their address, whatever name they write under and whoever has their name now', async () => {
    const sameMallory = { ...mallory, names: [`${MALLORY}.addr.dm3.eth`] };
    expect(await broken({ block: ['mallory.eth'] }, sameMallory)).toBe('block');
    const heir = { ...mallory, address: FRIEND };
    expect(await broken({ block: ['mallory.eth'] }, heir)).toBeNull();
    expect(await broken({ allow: ['mallory.eth'], minNonce: 9 }, heir, poor)).toBe('minNonce');
  });

  it('go by the spelling of a name that stood for nobody', async () => {
    const nobody = { ...mallory, names: ['late.eth'] };
    expect(await broken({ block: ['late.eth'] }, nobody)).toBe('block');
  });

  it('block an unverified sender by the name it takes, and never allow one', async () => {
    expect(await broken({ block: ['mallory.eth'] }, masked)).toBe('block');
    expect(await broken({ allow: ['mallory.eth'], requireVerifiedSender: true }, masked)).toBe('requireVerifiedSender');
  });

  it('help whoever is on both', async () => {
    expect(await broken({ allow: ['mallory.eth'], block: ['mallory.eth', '.eth'] })).toBeNull();
  });
});

describe('a verified sender', () => {
  it('may be asked for', async () => {
    expect(await broken({ requireVerifiedSender: true }, masked)).toBe('requireVerifiedSender');
    expect(await broken({ requireVerifiedSender: false }, masked)).toBeNull();
    expect(await broken({ requireVerifiedSender: true }, mallory)).toBeNull();
  });

  it('is on a foreign network whom the network has authenticated', async () => {
    expect(await broken({ requireVerifiedSender: true }, mail(false, true))).toBe('requireVerifiedSender');
    expect(await broken({ requireVerifiedSender: true }, mail(true, false))).toBeNull();
  });
});

describe('a first contact from a foreign network', () => {
  it.each([
    ['open', false, false, null],
    ['consent', false, false, 'firstContact'],
    ['consent', true, false, 'firstContact'],
    ['consent', false, true, null],
    ['authenticated', false, false, 'firstContact'],
    ['authenticated', true, false, null],
    ['authenticated', false, true, null],
  ] as const)('under the rule %s, authenticated %s and known %s', async (firstContact, authenticated, known, rule) => {
    const networks = { email: { firstContact } };
    expect(await broken({ networks }, mail(authenticated, known))).toBe(rule);
    expect(await broken({ networks: { matrix: { firstContact } } }, mail(authenticated, known))).toBeNull();
    expect(await broken({ networks }, mallory)).toBeNull();
  });

  it('needs no balance', async () => {
    expect(await broken({ minNonce: 9, minBalance: '9' }, mail(false, false))).toBeNull();
  });

  it('may be on a list', async () => {
    const networks = { email: { firstContact: 'consent' as const } };
    expect(await broken({ block: ['.example.org.email.gateway.eth'] }, mail(true, true))).toBe('block');
    expect(await broken({ allow: ['.example.com.email.gateway.eth'], networks }, mail(false, false))).toBe(
      'firstContact',
    );
    expect(await broken({ allow: ['.example.org.email.gateway.eth'], networks }, mail(false, false))).toBeNull();
  });
});

describe('minimums', () => {
  const token = (amount: string) => ({ minTokenBalance: { address: TOKEN, amount } });

  it.each([
    [{ minNonce: 3 }, null],
    [{ minNonce: 4 }, 'minNonce'],
    [{ minBalance: '5' }, null],
    [{ minBalance: '6' }, 'minBalance'],
    [{ minBalance: '9007199254740993' }, 'minBalance'],
    [token('7'), null],
    [token('8'), 'minTokenBalance'],
    [{ minNonce: 3, minBalance: '5', ...token('8') }, 'minTokenBalance'],
    [{ minNonce: 3, minBalance: '6', ...token('8') }, 'minBalance'],
  ])('are reached by being equal, and all of them: %j', async (rules, rule) => {
    expect(await broken(rules, mallory, poor)).toBe(rule);
  });

  it('of zero are reached by everybody, and the chain is not asked', async () => {
    expect(await broken({ minNonce: 0, minBalance: '0', ...token('0') })).toBeNull();
    expect(await broken({ minNonce: 0 }, masked)).toBeNull();
  });

  it('are not reached by somebody whom nobody knows', async () => {
    for (const rules of [{ minNonce: 1 }, { minBalance: '1' }, token('1')]) {
      expect(await broken(rules, masked)).toBe(Object.keys(rules)[0]);
    }
  });

  it('decide nothing while the chain does not say', async () => {
    await expect(broken({ minNonce: 1 })).rejects.toThrow('The chain was asked.');
  });
});
