import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { spamRulesSchema, thresholdsOf } from './rules.js';

const TOKEN = `0x${'aB'.repeat(20)}`;
const ALL = {
  minNonce: 3,
  minBalance: '1000000000000000000',
  minTokenBalance: { address: TOKEN, amount: '5' },
  requireVerifiedSender: true,
  allow: ['bob.eth', '.dao.eth', `0x${'12'.repeat(20)}`],
  block: ['.example.org.email.gateway.eth', 'carol._at.example.com.email.gateway.eth'],
  networks: { email: { firstContact: 'consent' as const }, matrix: { firstContact: 'open' as const } },
};

describe('a rule set', () => {
  it.each([[{}], [{ minNonce: 0, minBalance: '0' }], [{ allow: [], networks: {} }], [ALL]])('may be %j', (rules) => {
    expect(spamRulesSchema.parse(rules)).toEqual(rules);
  });

  it('is kept in one spelling', () => {
    const spelt = spamRulesSchema.parse({ allow: ['BOB.eth', '.DAO.eth'], block: [TOKEN, '0XAB.addr.DM3.eth'] });
    expect(spelt).toEqual({ allow: ['bob.eth', '.dao.eth'], block: [TOKEN.toLowerCase(), '0xab.addr.dm3.eth'] });
  });

  it.each([
    ['something else', 'text'],
    ['an unknown rule', { minAge: 3 }],
    ['a negative nonce', { minNonce: -1 }],
    ['half a transaction', { minNonce: 0.5 }],
    ['a nonce as text', { minNonce: '3' }],
    ['a balance as number', { minBalance: 1e18 }],
    ['a balance in hex', { minBalance: '0x10' }],
    ['a balance in ether', { minBalance: '0.1' }],
    ['a balance beyond every uint256', { minBalance: '1'.repeat(79) }],
    ['a token without an amount', { minTokenBalance: { address: TOKEN } }],
    ['a token by name', { minTokenBalance: { address: 'dai.eth', amount: '1' } }],
    ['a list that is none', { allow: 'bob.eth' }],
    ['a listed number', { block: [7] }],
    ['an empty entry', { block: [''] }],
    ['everybody', { block: ['.'] }],
    ['a bare label', { allow: ['bob'] }],
    ['a mail address', { allow: ['bob@example.org'] }],
    ['an entry without end', { block: [`${'a.'.repeat(200)}eth`] }],
    ['a list without end', { block: Array(201).fill('bob.eth') }],
    ['a network that cannot be', { networks: { 'E-Mail': { firstContact: 'open' } } }],
    ['a network rule nobody knows', { networks: { email: { firstContact: 'maybe' } } }],
    ['an unknown rule of a network', { networks: { email: { firstContact: 'open', minNonce: 1 } } }],
    ['networks without end', { networks: Object.fromEntries(letters(21).map((name) => [name, ALL.networks.email])) }],
  ])('is not %s', (_, rules) => {
    expect(spamRulesSchema.safeParse(rules).success).toBe(false);
  });

  it('is taken a second time as it was kept', () => {
    const entry = fc.oneof(
      fc.domain(),
      fc.domain().map((name) => `.${name.toUpperCase()}`),
    );
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 5 }), (block) => {
        const kept = spamRulesSchema.parse({ block });
        expect(spamRulesSchema.parse(kept)).toEqual(kept);
      }),
    );
  });
});

describe('what is published', () => {
  it('holds the minimums and no list', () => {
    const { allow: _, block: __, networks: ___, ...published } = ALL;
    expect(thresholdsOf(ALL)).toEqual(published);
  });
});

function letters(count: number): string[] {
  return Array.from({ length: count }, (_, index) => String.fromCharCode('a'.charCodeAt(0) + index));
}
