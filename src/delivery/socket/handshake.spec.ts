import { describe, expect, it } from '@jest/globals';
import { MalformedHandshakeError } from './errors.js';
import { parseHandshake } from './handshake.js';

describe('parseHandshake', () => {
  it('reads whose socket it is, whatever else clients say of the account', () => {
    const account = { ensName: 'bob.eth', profileSignature: '0x', profile: {} };
    expect(parseHandshake({ account, token: 't', more: 1 })).toEqual({ ensName: 'bob.eth', token: 't' });
    expect(parseHandshake({ account, token: '' })).toEqual({ ensName: 'bob.eth', token: '' });
  });

  it.each([
    undefined,
    null,
    'bob.eth',
    [],
    {},
    { account: { ensName: 'bob.eth' } },
    { account: null, token: 't' },
    { account: { ensName: '' }, token: 't' },
    { account: { ensName: 7 }, token: 't' },
    { account: { ensName: 'bob.eth' }, token: null },
  ])('refuses %j', (auth) => {
    expect(() => parseHandshake(auth)).toThrow(MalformedHandshakeError);
  });
});
