import { describe, expect, it } from '@jest/globals';
import { dnsEncode as ethersDnsEncode, namehash as ethersNamehash } from 'ethers';
import { array, assert, property, stringMatching } from 'fast-check';
import { dnsDecode, dnsEncode, namehash, parentOf } from './dns-name.js';

const label = stringMatching(/^[a-z0-9]{1,20}$/);
const names = array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join('.'));

describe('names in the forms of contracts', () => {
  it('have the nodes of EIP-137', () => {
    expect(namehash('')).toBe(`0x${'0'.repeat(64)}`);
    expect(namehash('eth')).toBe('0x93cdeb708b7545dc668eb9280176169d1c33cfd8ed6f04690a0bcc88a93fc4ae');
    expect(namehash('foo.eth')).toBe('0xde9b09fd7c5f901e23a3f19fecc54828e9c848539801e86591bd9801b019f84f');
  });

  it('are what ethers makes of them', () => {
    assert(
      property(names, (name) => {
        expect(namehash(name)).toBe(ethersNamehash(name));
        expect(dnsEncode(name)).toBe(ethersDnsEncode(name, 255));
      }),
    );
  });

  it('come back from DNS wire form', () => {
    assert(property(names, (name) => expect(dnsDecode(dnsEncode(name))).toBe(name)));
    expect(dnsDecode(dnsEncode('a_b.straße.eth'))).toBe('a_b.straße.eth');
  });

  it.each([
    ['no end', '0x0161'],
    ['a cut label', '0x0561'],
    ['something behind the end', '0x01610000'],
    ['bytes that are not UTF-8', '0x01ff00'],
    ['a dot inside a label', '0x03612e6200'],
    ['nothing', '0x'],
  ])('are refused with %s', (_, data) => {
    expect(dnsDecode(data)).toBeNull();
  });

  it('know their parents', () => {
    expect(parentOf('a.b.eth')).toBe('b.eth');
    expect(parentOf('eth')).toBe('');
  });
});
