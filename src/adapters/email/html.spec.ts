import { describe, expect, it } from '@jest/globals';
import { htmlToMarkdown } from './html.js';

const none = new Map<string, string>();
const textOf = (html: string, images = none) => htmlToMarkdown(html, images).text;

describe('htmlToMarkdown', () => {
  it('keeps structure and links', () => {
    const html = '<h1>Hi</h1><p>a <b>bold</b> <a href="https://x.test/">link</a></p><ul><li>one</li><li>two</li></ul>';
    expect(textOf(html)).toBe('# Hi\n\na **bold** [link](https://x.test/)\n\n-   one\n-   two');
  });

  it('drops scripts, styles and titles', () => {
    const html =
      '<html><head><title>t</title><style>p{}</style></head><body><script>alert(1)</script><p>text</p></body>';
    expect(textOf(html)).toBe('text');
    expect(textOf('<a href="javascript:alert(1)">x</a>')).toBe('x');
  });

  it('names inline images and never embeds remote ones', () => {
    const images = new Map([['logo@x', 'logo.png']]);
    expect(textOf('<p>see <img src="cid:logo@x"></p>', images)).toBe('see [image: logo.png]');
    expect(textOf('<img src="https://x.test/p.gif"><p>x</p>')).toBe('x');
    expect(textOf('<img alt="a [cat]" src="https://x.test/c(1).png">')).toBe(
      '[image: a cat](https://x.test/c%281%29.png)',
    );
  });

  it('keeps the bare text of what is too deep or too large', () => {
    const deep = `${'<div>'.repeat(5_000)}deep &amp; down${'</div>'.repeat(5_000)}`;
    expect(htmlToMarkdown(deep, none)).toEqual({ text: 'deep & down', reduced: true });
    const large = `<p>${'word '.repeat(200_000)}</p>`;
    expect(htmlToMarkdown(large, none)).toMatchObject({ reduced: true });
  });

  it('takes long lists of unclosed cells for what they are', () => {
    const html = `<table>${'<tr><td>x'.repeat(1_000)}</table>`;
    expect(htmlToMarkdown(html, none).reduced).toBe(false);
  });
});
