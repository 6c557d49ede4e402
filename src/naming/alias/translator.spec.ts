import { describe, expect, it } from '@jest/globals';
import type { EnsName } from '../../common/ids.js';
import { readAddress, showAddress } from './notations.js';
import { TopLevelDirectory } from './top-level-directory.js';
import { AliasTranslator } from './translator.js';

const ROOT = 'gateway.eth' as EnsName;
const TABLE = { email: 'email.gateway.eth', gno: 'gnosis.eth' };
const translator = new AliasTranslator(ROOT, new TopLevelDirectory(new Map(Object.entries(TABLE)), null));
const WALLET = `0x${'ab'.repeat(20)}`;
const INBOX = 'cd'.repeat(32);

describe('AliasTranslator', () => {
  it.each([
    ['carol@example.org', 'email', 'mailto:carol@example.org', 'carol._at.example.org.email.gateway.eth'],
    ['@carol:hs.org', 'matrix', 'matrix:u/carol:hs.org', 'carol._at.hs.org.matrix.gateway.eth'],
    ['#dev:hs.org', 'matrix', 'matrix:r/dev:hs.org', '_room.dev._at.hs.org.matrix.gateway.eth'],
    ['!Ab', 'matrix', 'matrix:roomid/Ab', '_roomid._xifra.matrix.gateway.eth'],
    [WALLET, 'xmtp', `xmtp:${WALLET}`, `${WALLET}.xmtp.gateway.eth`],
    [INBOX, 'xmtp', `xmtp:${INBOX}`, '_inbox.zxg43tonzxg43tonzxg43tonzxg43tonzxg43tonzxg43tonzxgq.xmtp.gateway.eth'],
  ])('translates %s there and back', async (text, kind, address, name) => {
    const there = await translator.translate(text);
    expect(there).toMatchObject({ kind, address, name });
    await expect(translator.translate(there.name)).resolves.toEqual(there);
    await expect(translator.translate(address)).resolves.toEqual(there);
    expect(readAddress(showAddress(there.address!))).toBe(address);
  });

  it('says how a name is written by its top-level alias', async () => {
    const carol = await translator.translate('carol@example.org');
    expect(carol.topLevelName).toBe('carol._at.example.org.email');
    await expect(translator.translate(carol.topLevelName!)).resolves.toEqual(carol);
    const max = { kind: 'ens', address: null, name: 'max.gnosis.eth', topLevelName: 'max.gno' };
    await expect(translator.translate('max.gno')).resolves.toEqual(max);
    await expect(translator.translate('@carol:hs.org')).resolves.toMatchObject({ topLevelName: null });
  });

  it.each([
    ['bob.eth', 'NAME_WITHOUT_ADDRESS'],
    ['contact.email', 'NAME_WITHOUT_ADDRESS'],
    [`h${'a'.repeat(52)}.email.gateway.eth`, 'NAME_WITHOUT_ADDRESS'],
    ['alice.matrix.gateway.eth', 'ALIAS_NAME_INVALID'],
    ['carol@', 'INVALID_FOREIGN_ADDRESS'],
    ['mailto:carol', 'INVALID_FOREIGN_ADDRESS'],
    ['matrix:carol', 'INVALID_FOREIGN_ADDRESS'],
    ['xmtp:carol', 'INVALID_FOREIGN_ADDRESS'],
    ['a..b', 'INVALID_NAME'],
    ['', 'INVALID_NAME'],
  ])('refuses %j as %s', async (text, code) => {
    await expect(translator.translate(text)).rejects.toMatchObject({ code });
  });

  it('finds the name to write to for whoever is meant', async () => {
    await expect(translator.nameOf('carol@example.org')).resolves.toBe('carol._at.example.org.email.gateway.eth');
    await expect(translator.nameOf('max.gno')).resolves.toBe('max.gnosis.eth');
    await expect(translator.nameOf('bob.eth')).resolves.toBe('bob.eth');
  });
});
