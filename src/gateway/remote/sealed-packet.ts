import { z } from 'zod';
import type { NetworkId } from '../../common/ids.js';
import type { Sealer } from '../../storage/sealer.js';
import { RequestUnusableError } from './errors.js';

/** All that the broker sees: a random id, and bytes that only processes of this gateway can open. */
export interface SealedPacket {
  readonly id: string;
  readonly sealed: string;
}

const schema = z.strictObject({ id: z.uuid(), sealed: z.base64() });

/** Bound to network, direction and request: what is moved elsewhere in the broker does not open there. */
export class PacketSealer {
  constructor(
    private readonly sealer: Sealer,
    private readonly network: NetworkId,
  ) {}

  seal(direction: 'request' | 'answer', id: string, json: unknown): SealedPacket {
    return { id, sealed: this.sealer.sealJson(this.#place(direction, id), json).toString('base64') };
  }

  /** @throws RequestUnusableError, SealBrokenError; StorageKeyMissingError (retry) */
  open(direction: 'request' | 'answer', packet: unknown): { readonly id: string; readonly json: unknown } {
    const { data, error } = schema.safeParse(packet);
    if (!data) throw new RequestUnusableError({ reason: 'it is no sealed packet', cause: error });
    const { id, sealed } = data;
    return { id, json: this.sealer.openJson(this.#place(direction, id), Buffer.from(sealed, 'base64')) };
  }

  #place(direction: string, id: string) {
    return { table: 'broker', column: direction, row: `${this.network}/${id}` };
  }
}
