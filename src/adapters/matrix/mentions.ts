import { cleanLine } from './text.js';

/** How people are named who are mentioned by a link: a ghost by its ENS name. */
export type NameOf = (matrixId: string) => string;

/** Somebody who can be mentioned, and what texts call him; names in small letters. */
export interface Mentionable {
  readonly id: string;
  readonly names: readonly string[];
}

/** A stretch of a text, and whom it mentions. */
export interface Mention {
  readonly start: number;
  readonly end: number;
  readonly id: string;
}

/** What a link of Matrix leads to. */
interface MatrixLink {
  readonly id: string;
  /** A message in that room, not the room. */
  readonly toEvent: boolean;
}

/** In one part of a message: a link is ten times as long as a name, and an event has its limit. */
const MAX_MENTIONS = 100;
/** Addresses: what stands in them is nobody's name. */
const ADDRESSES = /\b[a-z][a-z0-9+.-]*:\/\/\S+|\b(?:mailto|matrix|www\.)\S+/giu;
/** Nothing of a longer name, address or path may stand before a name or behind it. */
const BEFORE = String.raw`(?<![\p{L}\p{N}\p{M}\p{Extended_Pictographic}_@.:/=#!\\-])`;
const BEHIND = String.raw`(?![\p{L}\p{N}\p{M}\p{Extended_Pictographic}_@/=-]|[.:][\p{L}\p{N}_-])`;

/** Bare links as they stand in texts, without what ends the sentence. */
export const BARE_LINKS =
  /\b(?:https?:\/\/matrix\.to\/#\/|matrix:(?:u|r|roomid)\/)[^\s)>\]]{0,2000}[^\s)>\].,;:!?'"]/giu;

/** The people whose names stand in a text, with or without an `@`, in order. */
export function mentionsIn(text: string, people: readonly Mentionable[]): Mention[] {
  const ids = new Map(people.flatMap(({ id, names }) => names.map((name) => [name, id] as const)));
  if (ids.size === 0) return [];
  const taken = [...text.matchAll(ADDRESSES)].map(({ index, 0: { length } }) => [index, index + length] as const);
  return [...text.matchAll(patternOf([...ids.keys()]))]
    .map(({ index, 0: words, 1: name }) => ({
      start: index,
      end: index + words.length,
      id: ids.get(name!.toLowerCase())!,
    }))
    .filter(({ start }) => !taken.some(([from, to]) => start >= from && start < to))
    .slice(0, MAX_MENTIONS);
}

/** The longest first: the name of a subdomain begins as another one. */
function patternOf(names: readonly string[]): RegExp {
  const longestFirst = [...names].sort((one, other) => other.length - one.length);
  return new RegExp(`${BEFORE}@?(${longestFirst.map(escaped).join('|')})${BEHIND}`, 'giu');
}

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

/** `https://matrix.to/#/@alice:hs.org`, which clients show as a pill. */
export function pillOf(userId: string): string {
  const path = encodeURIComponent(userId).replaceAll('%40', '@').replaceAll('%3A', ':').replaceAll('%3D', '=');
  return `https://matrix.to/#/${path}`;
}

/** To a message, wherever it is shown. */
export function linkTo(room: string, event: string): string {
  return `https://matrix.to/#/${encodeURIComponent(room)}/${encodeURIComponent(event)}`;
}

/**
 * What a link to somebody or something on Matrix is to a reader elsewhere: a name, or words; null for other links.
 * @param label what the link is called; null where it stands bare
 */
export function wordsOfLink(href: string, nameOf: NameOf, label: string | null = null): string | null {
  const link = readLink(href);
  if (!link) return null;
  const { id, toEvent } = link;
  const called = label !== null && !isAddress(label) ? label : null;
  if (id.startsWith('@')) return cleanLine(nameOf(id), MAX_NAME);
  const room = id.startsWith('#') ? cleanLine(id, MAX_NAME) : null;
  if (!toEvent) return room ?? called ?? 'a room on Matrix';
  return called ?? (room ? `a message in ${room}` : 'a message on Matrix');
}

const MAX_NAME = 255;

/** A link that is called by itself says nothing to readers. */
function isAddress(label: string): boolean {
  return /^\s*$|^\s*(?:https?:|matrix:|[!$])/i.test(label);
}

/** The id that a matrix.to link or a `matrix:` URI names; null for other links. */
function readLink(href: string): MatrixLink | null {
  const link = /^https?:\/\/matrix\.to\/#\/([^?/]+)(?:\/([^?/]+))?(?:[?/].*)?$/i.exec(href);
  const uri = /^matrix:(u|r|roomid)\/([^?/]+)(?:\/e\/([^?/]+))?(?:[?/].*)?$/i.exec(href);
  try {
    const id = link
      ? decodeURIComponent(link[1]!)
      : uri
        ? SIGILS[uri[1]!.toLowerCase()]! + decodeURIComponent(uri[2]!)
        : '';
    return isId(id) ? { id, toEvent: (link?.[2] ?? uri?.[3]) !== undefined } : null;
  } catch {
    return null; // broken escapes
  }
}

const SIGILS: Readonly<Record<string, string>> = { u: '@', r: '#', roomid: '!' };

/** Ids of rooms may lack the server (room version 12); anything else has one. */
function isId(id: string): boolean {
  return /^(?:[@#][^\s\p{Cc}:]+:[\w.:[\]-]+|![^\s\p{Cc}]+)$/u.test(id);
}
