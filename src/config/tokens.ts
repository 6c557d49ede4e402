/** Injection tokens of what the process starts with; `main.ts` makes the values. */
export const SETTINGS = Symbol('settings');
export const SECRETS = Symbol('secrets');
export const CRYPTO = Symbol('crypto provider');
export const RANDOM = Symbol('random bytes');
export const CLOCK = Symbol('clock');
export const EVENT_LOG = Symbol('event log');
/** How addresses of each network are written as ENS names (`naming/alias/codec.ts`). */
export const ALIAS_CODECS = Symbol('alias codecs');
/** Names of the networks with a section in the configuration, wherever they run. */
export const SERVED_NETWORKS = Symbol('served networks');
