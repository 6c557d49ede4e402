import type { MarkdownIt, Token } from 'markdown-it';
import { mentionsIn, pillOf, type Mentionable } from './mentions.js';

/** Who may be mentioned in a text, and who was. */
export interface Mentions {
  readonly people: readonly Mentionable[];
  readonly found: Set<string>;
}

type Kind = typeof Token;

/** Plug-in: the names of people become links to them; `env` is `Mentions`. Code and links stay as they are. */
export function pills(markdown: MarkdownIt): void {
  markdown.core.ruler.push('pills', ({ tokens, env, Token: Made }) => {
    for (const token of tokens) {
      if (token.children) token.children = withPills(token.children, env as unknown as Mentions, Made);
    }
  });
}

function withPills(children: readonly Token[], mentions: Mentions, Made: Kind): Token[] {
  let depth = 0;
  return children.flatMap((token) => {
    if (token.type === 'link_open') depth += 1;
    if (token.type === 'link_close') depth -= 1;
    return token.type === 'text' && depth === 0 ? pillsIn(token, mentions, Made) : [token];
  });
}

function pillsIn(token: Token, { people, found }: Mentions, Made: Kind): Token[] {
  const words = (from: number, to?: number) =>
    Object.assign(new Made('text', '', 0), { content: token.content.slice(from, to) });
  const pieces: Token[] = [];
  let at = 0;
  for (const { start, end, id } of mentionsIn(token.content, people)) {
    const open = Object.assign(new Made('link_open', 'a', 1), { attrs: [['href', pillOf(id)]] });
    pieces.push(words(at, start), open, words(start, end), new Made('link_close', 'a', -1));
    found.add(id);
    at = end;
  }
  return at === 0 ? [token] : [...pieces, words(at)];
}
