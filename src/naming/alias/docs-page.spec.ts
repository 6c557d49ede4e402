import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { format, resolveConfig } from 'prettier';
import { aliasNamesPage } from '../../../scripts/alias-names-page.mjs';
import type { EnsName } from '../../common/ids.js';
import { AliasNames } from './alias-names.js';
import { ALL_CODECS, readAddress } from './notations.js';

const file = new URL('../../../docs/alias-names.md', import.meta.url).pathname;

describe('docs/alias-names.md', () => {
  it('shows forty names as they are made now (else run npm run docs)', async () => {
    const names = new AliasNames({ rootName: 'gateway.eth' as EnsName, codecs: ALL_CODECS });
    const page = aliasNamesPage({ readAddress, nameOf: (address) => names.nameOf(address) });
    const shown = readFileSync(file, 'utf8');
    expect(shown).toBe(await format(page, { ...(await resolveConfig(file)), filepath: file }));
    expect(shown.match(/\.gateway\.eth` *\|$/gm)).toHaveLength(40);
  });
});
