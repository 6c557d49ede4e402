import { describe, expect, it } from '@jest/globals';
import { assert, property, stringMatching } from 'fast-check';
import { cleanPlain, htmlToMarkdown, markdownToHtml, withoutReplyFallback } from './html.js';

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
    expect(markdownToHtml(text) ?? '').not.toMatch(/<(?:script|img|svg|iframe|style|form)|\son\w+=|javascript:/i);
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
    expect(markdownToHtml(text)).toBe(expected);
  });

  it.each(['plain', 'two\nlines', 'a < b & c "quoted"'])('says nothing twice: %s', (text) => {
    expect(markdownToHtml(text)).toBeNull();
  });

  it('never holds an element that was not made by formatting', () => {
    const hostile = stringMatching(/^[<>a-z"'=/()[\]!*_`~:;&#\n -]{0,80}$/);
    assert(
      property(hostile, (text) => {
        expect(markdownToHtml(text) ?? '').not.toMatch(
          /<(?:script|img|svg|iframe|style|form|object|embed)\b|javascript:/,
        );
      }),
    );
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
    expect(cleanPlain('https://matrix.to/#/!room:hs.test/$event', nameOf)).toBe(
      'https://matrix.to/#/!room:hs.test/$event',
    );
  });
});
