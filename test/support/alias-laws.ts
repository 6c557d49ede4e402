import { expect, it } from '@jest/globals';
import { ensNormalize, namehash } from 'ethers';
import { ethers as ethers5 } from 'ethers5';
import * as fc from 'fast-check';
import type { EnsName } from '../../src/common/ids.js';
import { AliasNames } from '../../src/naming/alias/alias-names.js';
import type { AliasCodec } from '../../src/naming/alias/codec.js';
import { dnsEncodedLength, labelsOf } from '../../src/naming/ens-name.js';
import { howOften } from './how-often.js';

interface Laws {
  readonly codec: AliasCodec;
  /** Addresses as people might write them, a few of which may be none. */
  readonly texts: fc.Arbitrary<string>;
  /** Addresses in CI; elsewhere a twentieth of them, so that nobody waits for them before each commit. */
  readonly runs: number;
  /** Kinds of names that must be among them, each with its least share: it shows that the addresses are of all kinds. */
  readonly kinds: readonly (readonly [RegExp, number])[];
}

/** What every codec promises, asked of many addresses at once: one address, one name, and every client keeps it. */
export function itObeysTheLawsOfNames({ codec, texts, kinds, ...laws }: Laws): void {
  const runs = howOften(laws.runs, laws.runs / 20);
  const aliases = new AliasNames({ rootName: 'gateway.eth' as EnsName, codecs: [codec] });
  const sample = fc.sample(texts, { numRuns: runs, seed: 20_261_123 });
  const addresses = [...new Set(sample.map((text) => canonicalOrNull(codec, text)))].filter((each) => each !== null);
  const names = addresses.map((canonical) => aliases.nameOf(canonical));

  it('are many different ones, of all kinds', () => {
    expect(addresses.length).toBeGreaterThan(runs / 2);
    expect(addresses.filter((canonical) => codec.canonical(canonical) !== canonical)).toEqual([]);
    for (const [pattern, least] of kinds) {
      const share = names.filter((name) => pattern.test(name)).length / names.length;
      expect({ pattern, isThere: share > least }).toEqual({ pattern, isThere: true });
    }
  });

  it('come back from their names', () => {
    const lost = addresses.filter((canonical, index) => {
      const alias = aliases.parse(names[index]!)!;
      return alias.kind === 'address'
        ? alias.address !== canonical
        : codec.decode(codec.encode(canonical)) !== canonical;
    });
    expect(lost).toEqual([]);
  });

  it('have a name each', () => {
    expect(new Set(names).size).toBe(addresses.length);
  });

  it('have names that ENSIP-15 keeps and DNS form holds', () => {
    const labelBytes = names.flatMap((name) => labelsOf(name).map((label) => Buffer.byteLength(label)));
    expect(Math.max(...new Set(labelBytes))).toBeLessThanOrEqual(63);
    expect(Math.max(...new Set(names.map(dnsEncodedLength)))).toBeLessThanOrEqual(255);
    expect(names.filter((name) => ensNormalize(name) !== name)).toEqual([]);
  });

  it('have names that dm3 clients keep: nameprep, and the hashing of ethers 5', () => {
    const { nameprep, dnsEncode, namehash: namehash5 } = ethers5.utils;
    const labels = patternsOf(names.flatMap(labelsOf));
    expect(labels.filter((label) => nameprep(label) !== label)).toEqual([]);
    // Shows what namehash would hash, without the cost of hashing.
    expect(labels.filter((label) => dnsEncode(label) !== inDnsForm(label))).toEqual([]);
    // Clients prepare and hash whole names, which is slower and, where hyphens are concerned, laxer: a sample will do.
    const few = names.filter((_, index) => index % 100 === 0);
    expect(few.filter((name) => nameprep(name) !== name)).toEqual([]);
    expect(few.filter((name) => namehash5(name) !== namehash(name))).toEqual([]);
  });
}

/** The bytes of one label as DNS writes them, `0x`-hex. */
export function inDnsForm(label: string): string {
  const bytes = Buffer.from(label);
  return `0x${Buffer.from([bytes.length, ...bytes, 0]).toString('hex')}`;
}

/** Null for the few that are no addresses. */
function canonicalOrNull(codec: AliasCodec, text: string) {
  try {
    return codec.canonical(text);
  } catch {
    return null;
  }
}

/**
 * Every label beyond ASCII; of the others one for each pattern of hyphens and underscores, since what happens to an
 * ASCII letter or digit depends on nothing beside it (RFC 3491: tables of single code points).
 */
function patternsOf(labels: readonly string[]): string[] {
  const isAscii = (label: string) => /^\p{ASCII}*$/u.test(label);
  const distinct = [...new Set(labels)];
  return [...new Set(distinct.map((label) => (isAscii(label) ? label.replaceAll(/[a-z0-9]/g, 'a') : label)))];
}
