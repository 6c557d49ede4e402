import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { GatewayError } from '../../common/errors.js';
import type { EnsName } from '../../common/ids.js';
import { isEnsip15 } from '../ens-name.js';
import { INVISIBLE } from '../invisible.js';
import { TopLevelDirectory } from './top-level-directory.js';
import { AliasTranslator, type Translation } from './translator.js';

interface Hostile {
  readonly about: string;
  readonly text: string;
  readonly name?: string;
  readonly refusal?: string;
}

const file = new URL('../../../test/fixtures/hostile-names.json', import.meta.url);
const corpus = JSON.parse(readFileSync(file, 'utf8')) as Hostile[];
const aliases = new Map(['email', 'matrix', 'xmtp'].map((network) => [network, `${network}.gateway.eth`]));
const topLevel = new TopLevelDirectory(new Map([...aliases, ['gno', 'gnosis.eth']]), null);
const translator = new AliasTranslator('gateway.eth' as EnsName, topLevel);

describe('hostile names and addresses', () => {
  const kinds = Map.groupBy(corpus, ({ about }) => about);

  it('are more than 200, of many kinds', () => {
    expect(new Set(corpus.map(({ text }) => text)).size).toBeGreaterThan(200);
    expect(kinds.size).toBeGreaterThan(10);
  });

  it.each([...kinds.keys()])('have one name or are refused in a sentence: %s', async (kind) => {
    for (const { text, name, refusal } of kinds.get(kind)!) {
      const outcome = await translator.translate(text).catch((error: unknown) => error);
      if (refusal === undefined) {
        const { name: given, address } = outcome as Translation;
        expect({ text, name: given }).toEqual({ text, name });
        if (address !== null) expect(isEnsip15(given)).toBe(true);
      } else {
        expect(outcome).toBeInstanceOf(GatewayError);
        const { code, message, retryable } = outcome as GatewayError;
        expect({ text, code, retryable }).toEqual({ text, code: refusal, retryable: false });
        expect(message).toMatch(/^\S.{20,600}[.]$/su);
        expect(message).not.toMatch(INVISIBLE);
      }
    }
  });

  it('never have two names for one address, nor one name for two', async () => {
    const named = corpus.filter(({ name }) => name !== undefined);
    const translations = await Promise.all(named.map(({ text }) => translator.translate(text)));
    const pairs = new Set(translations.map(({ address, name }) => `${address} ${name}`));
    expect(new Set(translations.map(({ name }) => name)).size).toBe(pairs.size);
    const foreign = translations.filter(({ address }) => address !== null);
    expect(new Set(foreign.map(({ address }) => address)).size).toBe(new Set(foreign.map(({ name }) => name)).size);
    for (const { name, address } of foreign.filter((each) => !/^h[a-z2-7]{52}\./.test(each.name))) {
      await expect(translator.translate(name)).resolves.toMatchObject({ name, address });
    }
  });
});
