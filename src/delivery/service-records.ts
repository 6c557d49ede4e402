import type { EnsName } from '../common/ids.js';
import type { NameRecords, RecordSource } from '../naming/ccip-read/records.js';
import type { CryptoProvider } from '../protocol/crypto/provider.js';
import { toBase64 } from '../protocol/encoding/base64.js';
import { dataRecord, DELIVERY_SERVICE_RECORD } from '../protocol/profile/record.js';
import type { OwnService } from './own-service.js';

/** The record other services and clients find us by (`network.dm3.deliveryService`). */
export function deliveryServiceRecord({ keys, url }: OwnService): string {
  return dataRecord({
    publicEncryptionKey: toBase64(keys.encryption.publicKey),
    publicSigningKey: toBase64(keys.signing.publicKey),
    url,
  });
}

/**
 * Serves the delivery service's own record where its name lies below our root; elsewhere its owner publishes it (the
 * `init` command prints it). The name's address follows from the service's signing key: nobody can pay to it, and
 * none is needed.
 */
export class ServiceRecords implements RecordSource {
  readonly #records: NameRecords;

  readonly #name: EnsName;

  constructor({ crypto, own }: { crypto: CryptoProvider; own: OwnService }) {
    this.#name = own.name;
    const address = crypto.ethereumAddress(own.keys.storageKey);
    this.#records = { address, texts: { [DELIVERY_SERVICE_RECORD]: deliveryServiceRecord(own), url: own.url } };
  }

  async find(name: EnsName): Promise<NameRecords | null> {
    return name === this.#name ? this.#records : null;
  }
}
