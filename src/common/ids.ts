declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** A normalised ENS name (ENSIP-15, or lower-cased where that refuses). Made by `naming/ens-name.ts` only. */
export type EnsName = Brand<string, 'EnsName'>;

/** A dm3 identity: `0x` and 40 lower-case hex digits. Everything keys on it, names are labels of it. */
export type EthAddress = Brand<string, 'EthAddress'>;

/** `email`, `matrix`, `xmtp`, or the fake one of the contract test. */
export type NetworkId = Brand<string, 'NetworkId'>;

/** Someone on a foreign network, as a URI in canonical form: `mailto:alice@example.com`. Made by its codec only. */
export type ForeignAddress = Brand<string, 'ForeignAddress'>;

/** The id a foreign network gives a message: a Message-ID with its angle brackets, a Matrix event id. */
export type RemoteId = Brand<string, 'RemoteId'>;

/** `0x` and 64 lower-case hex digits. */
export type Hash = Brand<string, 'Hash'>;

/** UUID of a row in `message`: the id that operators trace and that SMTP answers carry. */
export type MessageId = Brand<string, 'MessageId'>;

/** UUID of a row in `conversation`. */
export type ConversationId = Brand<string, 'ConversationId'>;

const ADDRESS = /^0x[0-9a-f]{40}$/;

/** Lower-cases a hex address. Returns null if the text is not one. */
export function parseEthAddress(text: string): EthAddress | null {
  const lower = text.toLowerCase();
  return ADDRESS.test(lower) ? (lower as EthAddress) : null;
}
