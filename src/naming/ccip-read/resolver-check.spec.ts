import { describe, expect, it } from '@jest/globals';
import { parseEthAddress, type EthAddress } from '../../common/ids.js';
import { ccipUrl, checkResolver } from './resolver-check.js';
import type { ResolverState } from './resolver-state.js';

const address = (digit: string): EthAddress => parseEthAddress(`0x${digit.repeat(40)}`)!;
const [RESOLVER, CURRENT, NEXT, PREVIOUS] = ['a', '1', '2', '3'].map(address) as [
  EthAddress,
  EthAddress,
  EthAddress,
  EthAddress,
];
const own = {
  resolver: RESOLVER,
  publicUrl: 'https://gateway.example',
  signers: { current: CURRENT, next: NEXT, previous: PREVIOUS },
};
const OURS = ccipUrl(own.publicUrl);
const GOOD: ResolverState = { urls: [OURS], trusts: { current: true, next: true, previous: false } };

const check = (changes: Partial<ResolverState>, service = own) => checkResolver({ ...GOOD, ...changes }, service);
const inShort = (changes: Partial<ResolverState>) => check(changes).map(({ level, code }) => `${level} ${code}`);
const fixOf = (changes: Partial<ResolverState>) => check(changes).find(({ fix }) => fix !== null)!.fix;

describe('checkResolver', () => {
  it('is content with a contract that trusts our signer and names our CCIP_URL', () => {
    expect(inShort({})).toEqual(['ok CCIP_SIGNER', 'ok CCIP_URL']);
    expect(check({}).map(({ fix }) => fix)).toEqual([null, null]);
  });

  it('notices a contract that does not trust our signer, which clients take for names without records', () => {
    const state = { trusts: { current: false, next: true, previous: true } };
    expect(inShort(state)).toEqual(['error CCIP_SIGNER', 'warning CCIP_FORMER_SIGNER', 'ok CCIP_URL']);
    expect(fixOf(state)).toContain(`setSigner(${CURRENT}, true)`);
  });

  it('warns of a former key that is still trusted', () => {
    const state = { trusts: { ...GOOD.trusts, previous: true } };
    expect(inShort(state)).toEqual(['ok CCIP_SIGNER', 'warning CCIP_FORMER_SIGNER', 'ok CCIP_URL']);
    expect(fixOf(state)).toContain(`setSigner(${PREVIOUS}, false)`);
  });

  it.each([[[]], [['https://other.example/{sender}/{data}']], [['https://gateway.example/{sender}/{data}.json']]])(
    'notices that %j does not lead here',
    (urls) => {
      expect(inShort({ urls })).toEqual(['ok CCIP_SIGNER', 'error CCIP_URL']);
      expect(fixOf({ urls })).toContain(`setUrls(["${OURS}"])`);
    },
  );

  it.each(['', '/', '/{sender}', '/{sender}.json', '/{sender}/{data}', '/{sender}/{data}.json'])(
    'knows our URL with "%s" at its end',
    (end) => {
      expect(inShort({ urls: [`https://gateway.example/ccip${end}`] })).toEqual(['ok CCIP_SIGNER', 'ok CCIP_URL']);
    },
  );

  it('warns of URLs that are not ours beside ours', () => {
    const urls = [OURS, 'https://other.example/{data}'];
    expect(inShort({ urls })).toEqual(['ok CCIP_SIGNER', 'ok CCIP_URL', 'warning CCIP_OTHER_URLS']);
    expect(check({ urls }).at(-1)!.message).toContain('https://other.example/{data}');
  });

  it('says no more than that there is no such contract where there is none', () => {
    expect(inShort({ urls: null })).toEqual(['error NO_CCIP_RESOLVER']);
  });
});
