import { describe, expect, it } from '@jest/globals';
import { assert, property, stringMatching } from 'fast-check';
import { howOften } from '../../../test/support/how-often.js';
import { cleanPlain, formatMarkdown, htmlToMarkdown, withoutReplyFallback } from './html.js';

const nameOf = (id: string) => (id.startsWith('@dm3_') ? id.slice(5, id.indexOf(':')) : id);
const toMarkdown = (html: string) => htmlToMarkdown(html, nameOf);

describe('HTML of Matrix as markdown', () => {
  it.each([
    ['<b>bold</b> and <em>slanted</em>', '**bold** and _slanted_'],
    ['<del>gone</del>', '~~gone~~'],
    ['<p>one</p><p>two</p>', 'one\n\ntwo'],
    ['<ul><li>a</li><li>b</li></ul>', '-   a\n-   b'],
    ['<pre><code class="language-js">let a = 1;\n</code></pre>', '```js\nlet a = 1;\n```'],
    ['<a href="https://example.org/">here</a>', '[here](https://example.org/)'],
    ['<blockquote>said</blockquote>', '> said'],
    ['<mx-reply><blockquote>In reply to <a href="x">y</a><br>old</blockquote></mx-reply>new', 'new'],
    ['Hi <a href="https://matrix.to/#/@dm3_bob.eth:hs.test">Bob</a>!', 'Hi bob.eth!'],
    ['Hi <a href="https://matrix.to/#/%40carol%3Ahs.test">Carol</a>!', 'Hi @carol:hs.test!'],
    ['See <a href="matrix:r/dev:hs.test">dev</a>', 'See #dev:hs.test'],
    ['In <a href="https://matrix.to/#/!abc:hs.test?via=hs.test">Developers</a>', 'In Developers'],
    ['In <a href="https://matrix.to/#/!abc">https://matrix.to/#/!abc</a>', 'In a room on Matrix'],
    ['As <a href="https://matrix.to/#/!abc:hs.test/$ev?via=hs.test">decided</a>', 'As decided'],
    [
      'As <a href="https://matrix.to/#/#dev:hs.test/$ev">https://matrix.to/#/#dev:hs.test/$ev</a>',
      'As a message in #dev:hs.test',
    ],
    ['As <a href="matrix:roomid/abc/e/ev">matrix:roomid/abc/e/ev</a>', 'As a message on Matrix'],
    ['Ask https://matrix.to/#/@dm3_bob.eth:hs.test or *him*', 'Ask bob.eth or \\*him\\*'],
    ['<code>https://matrix.to/#/@dm3_bob.eth:hs.test</code>', '`https://matrix.to/#/@dm3_bob.eth:hs.test`'],
    ['<a href="https://matrix.to/#/@car*ol*[x](y):hs.test">C</a>', '@car\\*ol\\*\\[x\\]\\(y\\):hs.test'],
    [
      '<a href="https://matrix.to/#/@dm3_a%0A%E2%80%AEb:hs.test">B</a>',
      '[B](https://matrix.to/#/@dm3_a%0A%E2%80%AEb:hs.test)',
    ],
    ['<a href="https://matrix.to/#/@%zz:hs.test">B</a>', '[B](https://matrix.to/#/@%zz:hs.test)'],
    [
      '<a href="https://matrix.to.evil.test/#/@dm3_bob.eth:hs.test">B</a>',
      '[B](https://matrix.to.evil.test/#/@dm3_bob.eth:hs.test)',
    ],
    ['<a href="https://matrix.to/#/@dm3_bob.eth:hs.test"><b>Bob</b><img src="https://evil.test/x"></a>', 'bob.eth'],
  ])('%s', (html, expected) => {
    expect(toMarkdown(html)).toBe(expected);
  });

  it.each([
    '<script>alert(1)</script>x',
    '<img src=x onerror=alert(1)>x',
    '<a href="javascript:alert(1)">x</a>',
    '<a href=" jAvAsCrIpT:alert(1)">x</a>',
    '<a href="data:text/html,<script>alert(1)</script>">x</a>',
    '<svg onload=alert(1)><p>x</p></svg>',
    '<iframe src="https://evil.test"></iframe>x',
    '<style>@import "https://evil.test"</style>x',
    '<span style="background:url(https://evil.test)">x</span>',
    '<p onclick="alert(1)">x</p>',
    '<scr<script>ipt>alert(1)</scr</script>ipt>x',
    '<a href="//evil.test">x</a>',
    '<form action="https://evil.test"><button>x</button></form>',
    '<!--<img src="--><img src=x onerror=alert(1)>x',
    'x\u0000\u001b[31m',
  ])('keeps the text and nothing else of %s', (html) => {
    const text = toMarkdown(html)!;
    expect(text).toContain('x');
    expect(text).not.toMatch(/javascript:|data:|evil\.test|\p{Cc}/iu);
    expect(formatMarkdown(text).html ?? '').not.toMatch(/<(?:script|img|svg|iframe|style|form)|\son\w+=|javascript:/i);
  });

  it('finds nothing behind a style that never ends', () => {
    expect(toMarkdown('<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>x')).toBe('');
  });

  it('does not look into what is too large or too deep', () => {
    expect(toMarkdown(`${'<div>'.repeat(5_000)}x`)).toBeNull();
    expect(toMarkdown('x'.repeat(70_000))).toBeNull();
  });
});

describe('markdown as HTML for Matrix', () => {
  it.each([
    ['Dear **reader**', '<p>Dear <strong>reader</strong></p>'],
    ['a\nb *c*', '<p>a<br />\nb <em>c</em></p>'],
    ['`1 < 2`', '<p><code>1 &lt; 2</code></p>'],
    ['![pixel](https://evil.test/p.png)', '<p>!<a href="https://evil.test/p.png">pixel</a></p>'],
  ])('%s', (text, expected) => {
    expect(formatMarkdown(text).html).toBe(expected);
  });

  it.each(['plain', 'two\nlines', 'a < b & c "quoted"'])('says nothing twice: %s', (text) => {
    expect(formatMarkdown(text).html).toBeNull();
  });

  it('never holds an element that was not made by formatting', () => {
    const hostile = stringMatching(/^[<>a-z"'=/()[\]!*_`~:;&#\n -]{0,80}$/);
    assert(
      property(hostile, (text) => {
        expect(formatMarkdown(text).html ?? '').not.toMatch(
          /<(?:script|img|svg|iframe|style|form|object|embed)\b|javascript:/,
        );
      }),
    );
  });
});

describe('names in a text for Matrix', () => {
  const people = [
    {
      id: '@alice:hs.test',
      names: ['alice:hs.test', 'alice._at.hs.test.matrix.gateway.eth', 'alice._at.hs.test.matrix'],
    },
    { id: '@dm3_bob.eth:hs.test', names: ['bob.eth'] },
    { id: '@dm3_sub.bob.eth:hs.test', names: ['sub.bob.eth'] },
    { id: '@dm3_=f0=9f=a6=84.eth:hs.test', names: ['🦄.eth'] },
  ];
  const mentionedIn = (text: string) => formatMarkdown(text, people).mentioned;
  const ids = { alice: '@alice:hs.test', bob: '@dm3_bob.eth:hs.test', sub: '@dm3_sub.bob.eth:hs.test' };

  it('become pills, in the words they were written in', () => {
    expect(formatMarkdown('Ask @Bob.eth, not **bob.eth**!', people)).toEqual({
      html:
        '<p>Ask <a href="https://matrix.to/#/@dm3_bob.eth:hs.test">@Bob.eth</a>, not ' +
        '<strong><a href="https://matrix.to/#/@dm3_bob.eth:hs.test">bob.eth</a></strong>!</p>',
      mentioned: [ids.bob],
    });
    expect(formatMarkdown('Hi 🦄.eth', people).html).toBe(
      '<p>Hi <a href="https://matrix.to/#/@dm3_=f0=9f=a6=84.eth:hs.test">🦄.eth</a></p>',
    );
  });

  it.each([
    ['@alice:hs.test: hello', [ids.alice]],
    ['Dear alice._at.hs.test.matrix.gateway.eth, and bob.eth.', [ids.alice, ids.bob]],
    ['alice._at.hs.test.matrix and _alice_', [ids.alice]],
    ['sub.bob.eth and (bob.eth)', [ids.sub, ids.bob]],
    ['bob.eth bob.eth "bob.eth"', [ids.bob]],
    ['- bob.eth\n- | bob.eth |\n\n> bob.eth', [ids.bob]],
    ['# bob.eth', [ids.bob]],
  ])('are found in %j', (text, expected) => {
    expect(mentionedIn(text)).toEqual(expected);
  });

  it.each([
    '`bob.eth`',
    '```\n@bob.eth\n```',
    '    bob.eth',
    '[bob.eth](https://example.org/)',
    '<https://bob.eth/>',
    'https://bob.eth/ http://x.test/?a,bob.eth www.x.test/(bob.eth)',
    'mailto:bob.eth me@bob.eth x+bob.eth@example.org',
    'notbob.eth bob.ethernet bob.eth.example.org other.sub.bob.eth.x bob.eth-x -bob.eth x_bob.eth @@bob.eth',
    'ébob.eth bob.ethé 🦄bob.eth bob.eth🦄',
    'alice alice: @alice @alice:hs.test.example.org alice._at.hs.test',
    '@room bob@eth bob,eth',
    'carol.eth',
    '![bob.eth](https://example.org/bob.eth.png)',
  ])('are not found in %j', (text) => {
    expect(mentionedIn(text)).toEqual([]);
    expect(formatMarkdown(text, people).html ?? '').not.toContain('matrix.to');
  });

  it('can hold nothing that gets out of the link', () => {
    const hostile = { id: '@"><script>:hs.test', names: ['bob.eth'] };
    expect(formatMarkdown('bob.eth', [hostile]).html).toBe(
      '<p><a href="https://matrix.to/#/@%22%3E%3Cscript%3E:hs.test">bob.eth</a></p>',
    );
    const pattern = { id: '@x:hs.test', names: ['.*', '(a+)+$', '[', '\\'] };
    expect(formatMarkdown(`anything aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!`, [pattern]).mentioned).toEqual([]);
  });

  it('are looked for in long texts without getting stuck', () => {
    const long = ['@', 'a.', 'a://', 'bob.ethx '].map((part) => part.repeat(howOften(100_000, 20_000) / part.length));
    for (const text of long) expect(mentionedIn(text)).toEqual([]);
    expect(mentionedIn(`${'bob.eth '.repeat(10_000)}`)).toEqual([ids.bob]);
  });
});

describe('plain bodies', () => {
  it('lose the quoted message before an answer', () => {
    expect(withoutReplyFallback('> <@alice:hs.test> old\n> older\n\nnew\n> mine')).toBe('new\n> mine');
    expect(withoutReplyFallback('> * <@alice:hs.test> waves\n\nnew')).toBe('new');
    expect(withoutReplyFallback('> a quotation of my own\n\nnew')).toBe('> a quotation of my own\n\nnew');
  });

  it('name people instead of linking them', () => {
    expect(cleanPlain('ask https://matrix.to/#/@dm3_bob.eth:hs.test now', nameOf)).toBe('ask bob.eth now');
    expect(cleanPlain('(https://matrix.to/#/@dm3_bob.eth:hs.test), "matrix:u/carol:hs.test"!', nameOf)).toBe(
      '(bob.eth), "@carol:hs.test"!',
    );
    expect(cleanPlain(`https://matrix.to/#/${'.'.repeat(100_000)}`, nameOf)).toHaveLength(100_020);
    expect(cleanPlain('see https://matrix.to/#/!room:hs.test/$event?via=hs.test.', nameOf)).toBe(
      'see a message on Matrix.',
    );
    expect(cleanPlain('(matrix:r/dev:hs.test) matrix:roomid/abc matrix:u/carol:hs.test', nameOf)).toBe(
      '(#dev:hs.test) a room on Matrix @carol:hs.test',
    );
    expect(cleanPlain('https://matrix.to/ https://matrix.to/#/x matrix:other/x', nameOf)).toBe(
      'https://matrix.to/ https://matrix.to/#/x matrix:other/x',
    );
  });
});
