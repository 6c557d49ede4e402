import { describe, expect, it } from '@jest/globals';
import type { ForeignAddress } from '../../common/ids.js';
import { AliasLabelsError, InvalidForeignAddressError } from './codec.js';
import { emailCodec } from './email.js';
import { escapeText } from './escape.js';

const { canonical, encode, decode } = emailCodec;
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
    ['alice@example.com', 'mailto:alice@example.com'],
    ['mailto:alice@example.com', 'mailto:alice@example.com'],
    ['MAILTO:Alice@Example.COM', 'mailto:alice@example.com'],
    ['"alice"@example.com', 'mailto:alice@example.com'],
    [String.raw`"\a\l"@x.org`, 'mailto:al@x.org'],
    ['"John Doe"@x.org', 'mailto:"john doe"@x.org'],
    [String.raw`"a\"b\\c"@x.org`, String.raw`mailto:"a\"b\\c"@x.org`],
    ['"a@b"@x.org', 'mailto:"a@b"@x.org'],
    ['"@a,@b:c"@x.org', 'mailto:"@a,@b:c"@x.org'],
    ['.a..b.@docomo.example', 'mailto:".a..b."@docomo.example'],
    ['a%2Bb@x.org', 'mailto:a%2bb@x.org'],
    ["o'brien!#$&*/=?^`{|}~@x.org", "mailto:o'brien!#$&*/=?^`{|}~@x.org"],
    ['Jose\u0301@x.org', 'mailto:jos\u00e9@x.org'],
    ['用户@例え.jp', 'mailto:用户@xn--r8jz45g.jp'],
    ['a@BÜCHER.example', 'mailto:a@xn--bcher-kva.example'],
    ['a@XN--BCHER-KVA.example', 'mailto:a@xn--bcher-kva.example'],
    ['a@faß.de', 'mailto:a@xn--fa-hia.de'],
    ['root@localhost', 'mailto:root@localhost'],
    ['a@1.2.example', 'mailto:a@1.2.example'],
  ])('%s -> %s', (text, address) => {
    expect(canonical(text)).toBe(address);
    expect(canonical(canonical(text))).toBe(address);
  });

  it.each([
    ['', 'is not of the form'],
    ['mailto:', 'is not of the form'],
    ['alice', 'is not of the form'],
    ['@example.com', 'has nothing before the @'],
    ['""@example.com', 'has nothing before the @'],
    ['alice@', 'has no domain'],
    ['@relay.example,@b.example:alice@example.com', 'is a source route'],
    ['@relay.example:alice@example.com', 'is a source route'],
    ['<alice@example.com>', 'is not of the form'],
    ['Alice <alice@example.com>', 'is not of the form'],
    ['alice@example.com, bob@example.com', 'is not of the form'],
    ['a b@example.com', 'is not of the form'],
    ['a"b@example.com', 'is not of the form'],
    ['"a"b"@example.com', 'is not of the form'],
    ['a@b@example.com', 'is not of the form'],
    ['alice@x.org\r\nRCPT TO:<z@z.test>', 'line breaks'],
    ['"a\u0000b"@x.org', 'control characters'],
    ['a\u2028@x.org', 'line breaks'],
    ['a\ud800@x.org', 'control characters'],
    ['alice@[192.0.2.1]', 'by its IP address'],
    ['alice@[IPv6:2001:db8::1]', 'by its IP address'],
    ['alice@192.0.2.1', 'by its IP address'],
    ['alice@1.2', 'by its IP address'],
    ['alice@0x7f', 'by its IP address'],
    ['alice@１２７.１', 'by its IP address'],
    ['alice@example.com.', 'rules for host names'],
    ['alice@a..b', 'rules for host names'],
    ['alice@-a.example', 'rules for host names'],
    ['alice@a-.example', 'rules for host names'],
    ['alice@a_b.example', 'rules for host names'],
    ['alice@ex%41mple.com', 'rules for host names'],
    ['alice@x.org?subject=hello', 'rules for host names'],
    ['alice@x.org:25', 'rules for host names'],
    [`alice@${'x'.repeat(64)}.org`, 'rules for host names'],
    [`${'x'.repeat(65)}@x.org`, 'more than 64 octets'],
    [`${'é'.repeat(33)}@x.org`, 'more than 64 octets'],
    [`"${' '.repeat(63)}"@x.org`, 'more than 64 octets'],
    [`a@${`${'x'.repeat(60)}.`.repeat(4)}example.org`, 'longer than 254 octets'],
  ])('refuses %j', (text, reason) => {
    expect(() => canonical(text)).toThrow(InvalidForeignAddressError);
    expect(() => canonical(text)).toThrow(reason);
  });

  it('refuses in one short line, whatever the size of the input', () => {
    const error = thrownBy(() => canonical(`\r\n${'x@'.repeat(500_000)}`));
    expect(error).toMatchObject({ code: 'INVALID_FOREIGN_ADDRESS', kind: 'invalid-input', retryable: false });
    expect((error as Error).message).toMatch(/^.{1,250}$/);
  });
});

describe('encode and decode', () => {
  it.each([
    ['alice@example.com', 'alice._at.example.com'],
    ['bob.smith@x.co.uk', 'bob.smith._at.x.co.uk'],
    ['a.b+t_1@x.org', 'a.b._p.t._u.1._at.x.org'],
    ['_a+@x.org', '_u.a._p._at.x.org'],
    ['a+__b@x.org', 'a._p._u._u.b._at.x.org'],
    ['+@x.org', '_p._at.x.org'],
    ['my-name@my-host.example', 'my-name._at.my-host.example'],
    ['at@at.example', 'at._at.at.example'],
    ['root@localhost', 'root._at.localhost'],
    ['123@456.example', '123._at.456.example'],
    [`${'x'.repeat(63)}@x.org`, `${'x'.repeat(63)}._at.x.org`],
    ['a@bücher.example', 'a._at.bücher.example'],
    ['a@例え.jp', 'a._at.例え.jp'],
    ['a@пример.com', 'a._at.пример.com'],
    ['a@♥.example', 'a._at.♥.example'],
  ])('spells %s as labels one can read', (text, labels) => {
    expect(encode(canonical(text)).join('.')).toBe(labels);
    expect(read(labels)).toBe(canonical(text));
  });

  it.each([
    ['-a@x.org', `${escaped('-a')}._at.x.org`, '_xfvqq._at.x.org'],
    ['a--b@x.org', `${escaped('a--b')}._at.x.org`, '_xmews2yq._at.x.org'],
    ['a.-b@x.org', `${escaped('a.-b')}._at.x.org`, '_xmexc2yq._at.x.org'],
    ['.a@x.org', `${escaped('.a')}._at.x.org`, '_xfzqq._at.x.org'],
    ['a.@x.org', `${escaped('a.')}._at.x.org`, '_xmexa._at.x.org'],
    ['a..b@x.org', `${escaped('a..b')}._at.x.org`, '_xmexc4yq._at.x.org'],
    ['a._b@x.org', `${escaped('a._b')}._at.x.org`, '_xmexf6yq._at.x.org'],
    ["o'brien@x.org", `${escaped("o'brien")}._at.x.org`, '_xn4twe4tjmvxa._at.x.org'],
    ['"john doe"@x.org', `${escaped('john doe')}._at.x.org`, '_xnjxwq3ranrxwk._at.x.org'],
    ['josé@x.org', `${escaped('josé')}._at.x.org`, '_xnjxxhq5j._at.x.org'],
    ['a@faß.de', `a._at.${escaped('xn--fa-hia')}.de`, 'a._at._xpbxc2ldgmewwq2lb.de'],
    ['a@🦊.example', `a._at.${escaped('xn--9s9h')}.example`, 'a._at._xpbxc2ljzom4wq.example'],
    ['a@пример.рф', `a._at.пример.${escaped('xn--p1ai')}`, 'a._at.пример._xpbxc2llqgfqws'],
    ['a@r3---sn.example', `a._at.${escaped('r3---sn')}.example`, 'a._at._xoiztkljnonxa.example'],
    ['a@xn--a.example', `a._at.${escaped('xn--a')}.example`, 'a._at._xpbxc2lla.example'],
  ])('escapes what labels cannot spell: %s', (text, labels) => {
    expect(encode(canonical(text)).join('.')).toBe(labels);
    expect(read(labels)).toBe(canonical(text));
  });

  it('cuts long escapes into labels', () => {
    const address = canonical(`${'x'.repeat(64)}@${'a--b'.repeat(15)}.${'c--d'.repeat(15)}.org`);
    const labels = encode(address);
    expect(labels.map((label) => label.length)).toEqual([59, 48, 3, 59, 41, 59, 41, 3]);
    expect(decode(labels)).toBe(address);
  });

  it.each([
    ['an escape of something readable', `${escaped('alice')}._at.x.org`, 'alice@x.org'],
    ['an escape of something not in lower case', `${escaped('A b')}._at.x.org`, '"a b"@x.org'],
    ['an escape that is not NFC', `${escaped('jose\u0301')}._at.x.org`, 'josé@x.org'],
    ['an escape cut at another length', '_xfv._xqq._at.x.org', '-a@x.org'],
    ['an escape of a readable domain label', `a._at.${escaped('example')}.org`, 'a@example.org'],
    ['an escape of an IDN label that can be read', `a._at.${escaped('xn--bcher-kva')}.de`, 'a@bücher.de'],
    ['an escape of a U-label', `a._at.${escaped('faß')}.de`, 'a@faß.de'],
    ['an escape of several domain labels', `a._at.${escaped('x.org')}`, 'a@x.org'],
    ['capitals', 'Alice._at.X.org', 'alice@x.org'],
    ['an A-label', 'a._at.xn--bcher-kva.de', 'a@bücher.de'],
    ['a U-label that nameprep changes', 'a._at.faß.de', 'a@faß.de'],
    ['a sign left in its label', 'a+b._at.x.org', 'a+b@x.org'],
  ])('refuses %s and says whom it means', (_, labels, meant) => {
    const error = thrownBy(() => read(labels));
    expect(error).toBeInstanceOf(AliasLabelsError);
    expect(error).toMatchObject({ reason: 'is not the canonical spelling', address: canonical(meant) });
  });

  it.each([
    ['no sign for @', 'alice.example.com', 'has no "_at"'],
    ['no local part', '_at.example.com', 'cannot be'],
    ['no domain', 'alice._at', 'cannot be'],
    ['two signs for @', 'alice._at.b._at.example.com', 'cannot be'],
    ['an unknown sign', 'a._z.b._at.x.org', 'is not the canonical spelling'],
    ['base32 in capitals', '_xFVQQ._at.x.org', 'broken escape'],
    ['padded base32', '_xfvqq====._at.x.org', 'broken escape'],
    ['base32 with stray bits', '_xfvqr._at.x.org', 'broken escape'],
    ['base32 of an impossible length', '_xfvqqaa._at.x.org', 'broken escape'],
    ['digits outside base32', '_xfv1q._at.x.org', 'broken escape'],
    ['bytes that are not UTF-8', '_x77777._at.x.org', 'broken escape'],
    ['an empty escape', '_x._at.x.org', 'cannot be'],
    ['an escape beside atoms', '_xfvqq.b._at.x.org', 'broken escape'],
    ['an escape that breaks off', `${escapeText('x'.repeat(64))[0]}._at.x.org`, 'broken escape'],
    ['an escaped line break', `${escaped('a\r\nb')}._at.x.org`, 'cannot be'],
    ['an escaped local part of 65 octets', `${escaped(`${'-'.repeat(65)}`)}._at.x.org`, 'cannot be'],
    ['a domain escape that runs into an atom', `a._at._x${'m'.repeat(57)}.org`, 'broken escape'],
    ['an IP address', 'a._at.192.0.2.1', 'cannot be'],
    ['an escaped IP literal', `a._at.${escaped('[192.0.2.1]')}`, 'cannot be'],
  ])('refuses %s', (_, labels, reason) => {
    expect(() => read(labels)).toThrow(AliasLabelsError);
    expect(() => read(labels)).toThrow(reason);
  });

  it('trusts the brand: encode takes canonical addresses', () => {
    expect(encode('mailto:alice@example.com' as ForeignAddress)).toEqual(['alice', '_at', 'example', 'com']);
  });
});
