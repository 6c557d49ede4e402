import { formatMarkdown } from './html.js';

/** An `m.notice` from markdown. Code is shown without a line break at its end, so that what is copied is the text. */
export function noticeContent(markdown: string): Readonly<Record<string, unknown>> {
  const html = formatMarkdown(markdown).html?.replaceAll('\n</code></pre>', '</code></pre>') ?? null;
  const formatted = html === null ? {} : { format: 'org.matrix.custom.html', formatted_body: html };
  return { msgtype: 'm.notice', body: markdown, 'm.mentions': {}, ...formatted };
}
