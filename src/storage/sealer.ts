import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import type { CryptoProvider, RandomBytes } from '../protocol/crypto/provider.js';
import { withUtf8 } from '../protocol/encoding/utf8.js';
import { SealBrokenError, StorageKeyMissingError } from './errors.js';

/** Which row and column a sealed value belongs to: bytes moved to another place do not open. */
export interface SealPlace {
  readonly table: string;
  readonly column: string;
  readonly row: string;
}

export interface StorageKey {
  /** 1 to 255, stored with every sealed value. */
  readonly id: number;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

/** The first seals, all open. */
export type StorageKeys = readonly [StorageKey, ...StorageKey[]];

interface SealerSecrets {
  readonly storageKeys: StorageKeys;
  readonly rootSecret: Uint8Array;
  /** Missing where keys cannot change while the process runs. */
  readonly rereadStorageKeys?: () => StorageKeys;
}

const VERSION = 1;
const NONCE_BYTES = 24;
const HEADER_BYTES = 2;

/** How often a running process looks whether its storage keys have changed. */
export const KEYS_REREAD_MS = 2_000;

/** Octet of a sealed value that holds its key's id, counted from 1 as SQL does. */
export const KEY_ID_OCTET = 2;
/** So many octets of a sealed value are like no other's: version, key id and nonce. */
export const SEAL_OCTETS = HEADER_BYTES + NONCE_BYTES;

/**
 * Authenticated encryption for columns with content, and keyed hashes for looking rows up by what they must not show.
 * Sealed value: version (1) ‖ key id (1) ‖ nonce (24) ‖ XChaCha20-Poly1305 ciphertext and tag, with the place as
 * associated data. Keys come from outside the database; the first storage key seals, all of them open. Keyed hashes
 * come from the root secret, so that no rotation makes rows unfindable.
 */
export class Sealer {
  #keys!: ReadonlyMap<number, Uint8Array>;
  #active!: StorageKey;
  readonly #hashKey: KeyObject; // bytes would be made into one at every hash, which costs more than the hash

  constructor(
    private readonly crypto: CryptoProvider,
    private readonly random: RandomBytes,
    private readonly secrets: SealerSecrets,
  ) {
    this.#use(secrets.storageKeys);
    this.#hashKey = createSecretKey(deriveKey(secrets.rootSecret, 'keyed hashes'));
  }

  /** Id of the key that seals. */
  get activeKeyId(): number {
    return this.#active.id;
  }

  /** Takes up keys that were changed where they come from. @throws if they cannot be read: those known stay in use */
  refreshKeys(): void {
    const { rereadStorageKeys } = this.secrets;
    if (rereadStorageKeys) this.#use(rereadStorageKeys());
  }

  seal(place: SealPlace, plain: Uint8Array): Buffer {
    const nonce = this.random(NONCE_BYTES);
    const head = Buffer.concat([Uint8Array.of(VERSION, this.#active.id), nonce]);
    const sealed = this.crypto.xchachaSeal(this.#active.key, nonce, plain, associatedData(place), head);
    return Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  }

  /** @throws SealBrokenError; StorageKeyMissingError (retry) */
  open(place: SealPlace, sealed: Uint8Array): Uint8Array {
    const key = this.#keyOf(sealed);
    const nonce = sealed.subarray(HEADER_BYTES, SEAL_OCTETS);
    try {
      return this.crypto.xchachaOpen(key, nonce, sealed.subarray(SEAL_OCTETS), associatedData(place));
    } catch (cause) {
      throw new SealBrokenError({ reason: 'its bytes are damaged, or belong to another row or key', cause });
    }
  }

  sealJson(place: SealPlace, value: unknown): Buffer {
    return withUtf8(JSON.stringify(value), (plain) => this.seal(place, plain));
  }

  /** @throws SealBrokenError; StorageKeyMissingError (retry) */
  openJson<T>(place: SealPlace, sealed: Uint8Array): T {
    return JSON.parse(Buffer.from(this.open(place, sealed)).toString('utf8')) as T;
  }

  /**
   * HMAC-SHA-256 over the parts, each with its length, so that no two lists of parts collide. `domain` keeps one use's
   * hashes from meaning anything in another.
   */
  keyedHash(domain: string, ...parts: readonly (string | Uint8Array)[]): Buffer {
    const mac = createHmac('sha256', this.#hashKey);
    for (const part of [domain, ...parts]) {
      const bytes = typeof part === 'string' ? Buffer.from(part) : part;
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      mac.update(length).update(bytes);
    }
    return mac.digest();
  }

  #use(storageKeys: StorageKeys): void {
    this.#active = storageKeys[0];
    this.#keys = new Map(storageKeys.map(({ id, key }) => [id, key]));
  }

  #keyOf(sealed: Uint8Array): Uint8Array {
    if (sealed[0] !== VERSION || sealed.length < SEAL_OCTETS) {
      throw new SealBrokenError({ reason: 'it is not in a form this version knows' });
    }
    const id = sealed[KEY_ID_OCTET - 1]!;
    return this.#keys.get(id) ?? this.#newKey(id);
  }

  /** Another process may have begun to seal with a key that was added a moment ago. */
  #newKey(id: number): Uint8Array {
    try {
      this.refreshKeys();
    } catch (cause) {
      throw new StorageKeyMissingError({ id, cause });
    }
    const key = this.#keys.get(id);
    if (!key) throw new StorageKeyMissingError({ id });
    return key;
  }
}

/** 32 bytes for one purpose out of the root secret (RFC 5869); the purpose is part of the derivation. */
export function deriveKey(rootSecret: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', rootSecret, Buffer.alloc(0), `dm3-gateway ${purpose}`, 32));
}

function associatedData({ table, column, row }: SealPlace): Uint8Array {
  return Buffer.from(JSON.stringify([table, column, row]));
}
