import type { RemoteId } from '../../common/ids.js';

/** Printable ASCII between angle brackets; nothing else may reach a header of ours. */
const MESSAGE_ID = /<[!-;=?-~]{1,240}>/g;
const MAX_REFERENCES = 20;

/** Every message id in the value of a Message-ID, In-Reply-To or References header, in order. */
export function findMessageIds(value: string): RemoteId[] {
  return (value.match(MESSAGE_ID) ?? []) as RemoteId[];
}

/** The id under which the mail world knows a dm3 message: deterministic, so a repeated mail is recognised as one. */
export function ownMessageId(id: string, domain: string): RemoteId {
  return `<dm3.${id}@${domain}>` as RemoteId;
}

/** Appends to a thread's chain; a long one keeps its first and its last nineteen (RFC 5322 §3.6.4 allows to trim). */
export function extendReferences(chain: readonly string[], ...ids: readonly string[]): string[] {
  const all = [...chain, ...ids].filter((id) => id.match(MESSAGE_ID)?.[0] === id);
  // A repeated id counts where it stands last.
  const unique = [...new Set(all.reverse())].reverse();
  return unique.length <= MAX_REFERENCES ? unique : [unique[0]!, ...unique.slice(1 - MAX_REFERENCES)];
}
