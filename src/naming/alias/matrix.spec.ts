import { describe, expect, it } from '@jest/globals';
import { AliasLabelsError, InvalidForeignAddressError } from './codec.js';
import { escapeText } from './escape.js';
import { matrixCodec } from './matrix.js';
import { formatMatrixId, parseMatrixId } from './matrix-id.js';

const { canonical, encode, decode } = matrixCodec;
const escaped = (text: string) => escapeText(text).join('.');
const read = (labels: string) => decode(labels.split('.'));

function thrownBy(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}

describe('canonical', () => {
  it.each([
    ['@alice:hs.org', 'matrix:u/alice:hs.org'],
    ['matrix:u/alice:hs.org', 'matrix:u/alice:hs.org'],
    ['MATRIX:u/alice:hs.org?action=chat', 'matrix:u/alice:hs.org'],
    ['#dev:hs.org', 'matrix:r/dev:hs.org'],
    ['matrix:r/dev:hs.org', 'matrix:r/dev:hs.org'],
    ['!opaque:hs.org', 'matrix:roomid/opaque:hs.org'],
    ['matrix:roomid/opaque:hs.org?via=a.org&via=b.org', 'matrix:roomid/opaque:hs.org'],
    ['!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM', 'matrix:roomid/31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM'],
    ['@a/b=c+d_e:hs.org:8448', 'matrix:u/a%2Fb=c+d_e:hs.org:8448'],
    ['matrix:u/a%2Fb=c+d_e:hs.org%3A8448', 'matrix:u/a%2Fb=c+d_e:hs.org:8448'],
    ['@50%41:hs.org', 'matrix:u/50%2541:hs.org'],
    ['#who?:hs.org', 'matrix:r/who%3F:hs.org'],
    ['#例え:hs.org', 'matrix:r/%E4%BE%8B%E3%81%88:hs.org'],
    ['@Alice:HS.org', 'matrix:u/Alice:HS.org'],
  ])('%s -> %s', (text, address) => {
    expect(canonical(text)).toBe(address);
    expect(canonical(canonical(text))).toBe(address);
  });

  it.each([
    ['', 'is not a Matrix id'],
    ['alice', 'is not a Matrix id'],
    ['alice:hs.org', 'is not a Matrix id'],
    ['matrix:', 'is not a Matrix id'],
    ['matrix:u/', 'is not a Matrix id'],
    ['matrix:e/event', 'is not a Matrix id'],
    ['matrix:u/%E0%A4%A:hs.org', 'is not a Matrix id'],
    ['matrix:roomid/opaque:hs.org/e/event', 'is not a Matrix id'],
    ['$event:hs.org', 'is not a Matrix id'],
    ['@alice', 'has no server'],
    ['@alice:', 'has no server'],
    ['@:hs.org', 'has no name before the server'],
    ['!', 'has nothing after the !'],
    ['@a\u0000b:hs.org', 'control characters'],
    ['#a\nb:hs.org', 'line breaks'],
    ['#a\ud800:hs.org', 'control characters'],
    ['@alice:[::1]:8448', 'by its IP address'],
    ['@alice:192.0.2.1', 'by its IP address'],
    ['@alice:hs.org:', 'a port that cannot be'],
    ['@alice:hs.org:0', 'a port that cannot be'],
    ['@alice:hs.org:08448', 'a port that cannot be'],
    ['@alice:hs.org:65536', 'a port that cannot be'],
    ['@alice:hs.org:1:2', 'a port that cannot be'],
    ['@alice:hs_1.org', 'rules for host names'],
    ['@alice:hs..org', 'rules for host names'],
    ['@alice:hs.org/path', 'rules for host names'],
    ['@alice:bücher.example', 'rules for host names'],
    [`@${'x'.repeat(248)}:hs.org`, 'longer than 255 bytes'],
  ])('refuses %j', (text, reason) => {
    expect(() => canonical(text)).toThrow(InvalidForeignAddressError);
    expect(() => canonical(text)).toThrow(reason);
  });

  it('is written by people as Matrix writes it', () => {
    for (const id of ['@alice:hs.org', '#dev:hs.org:8448', '!opaque', '@a/%b:hs.org']) {
      expect(formatMatrixId(parseMatrixId(canonical(id)))).toBe(id);
    }
  });
});

describe('encode and decode', () => {
  it.each([
    ['@alice:hs.org', 'alice._at.hs.org'],
    ['@a.b+t_1:hs.org', 'a.b._p.t._u.1._at.hs.org'],
    ['@_telegram_7:hs.org', '_u.telegram._u.7._at.hs.org'],
    ['#dev:hs.org', '_room.dev._at.hs.org'],
    ['@room:hs.org', 'room._at.hs.org'],
    ['@alice:localhost:8448', 'alice._at.localhost._port.8448'],
    ['@alice:xn--bcher-kva.example', 'alice._at.bücher.example'],
    ['@a=2fb:hs.org', `${escaped('a=2fb')}._at.hs.org`],
    ['@Alice:hs.org', `${escaped('Alice')}._at.hs.org`],
    ['@alice:HS.org', `alice._at.${escaped('HS')}.org`],
    ['#例え:hs.org', `_room.${escaped('例え')}._at.hs.org`],
    ['!OGEhHVWSdvArJzumhm:hs.org', `_roomid.${escaped('OGEhHVWSdvArJzumhm:hs.org')}`],
    [
      '!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM',
      `_roomid.${escaped('31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM')}`,
    ],
  ])('spells %s', (id, labels) => {
    expect(encode(canonical(id)).join('.')).toBe(labels);
    expect(read(labels)).toBe(canonical(id));
  });

  it.each([
    ['an escape of something readable', `${escaped('alice')}._at.hs.org`, '@alice:hs.org'],
    ['an escaped port', `alice._at.${escaped('hs.org:8448')}`, '@alice:hs.org:8448'],
    ['an escaped host', `alice._at.${escaped('hs.org')}`, '@alice:hs.org'],
    ['an A-label', 'alice._at.xn--bcher-kva.example', '@alice:xn--bcher-kva.example'],
    ['a sign left in its label', '_room.a+b._at.hs.org', '#a+b:hs.org'],
    ['a room id cut at another length', '_roomid._xmf._xrgg', '!abc'],
  ])('refuses %s and says whom it means', (_, labels, meant) => {
    const error = thrownBy(() => read(labels));
    expect(error).toBeInstanceOf(AliasLabelsError);
    expect(error).toMatchObject({ reason: 'is not the canonical spelling', address: canonical(meant) });
  });

  it.each([
    ['no sign for the server', 'alice.hs.org', 'has neither "_at" nor "_roomid"'],
    ['nobody', '_at.hs.org', 'cannot be'],
    ['no room', '_room._at.hs.org', 'cannot be'],
    ['no server', 'alice._at', 'cannot be'],
    ['a port alone', 'alice._at._port.8448', 'cannot be'],
    ['a port of letters', 'alice._at.hs.org._port.web', 'cannot be'],
    ['an IP address', 'alice._at.192.0.2.1', 'cannot be'],
    ['a room id that is not escaped', '_roomid.opaque', 'broken escape'],
    ['no room id', '_roomid', 'cannot be'],
    ['a broken escape', '_xfvqr._at.hs.org', 'broken escape'],
    ['a broken escape in the server', 'alice._at._xfvqr.org', 'broken escape'],
    ['an escaped line break', `${escaped('a\nb')}._at.hs.org`, 'cannot be'],
    ['an escaped colon', `${escaped('a:b')}._at.hs.org`, 'cannot be'],
  ])('refuses %s', (_, labels, reason) => {
    expect(() => read(labels)).toThrow(AliasLabelsError);
    expect(() => read(labels)).toThrow(reason);
  });
});
