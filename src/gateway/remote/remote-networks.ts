import type { NetworkId } from '../../common/ids.js';
import type { Adapter } from '../adapter/adapter.js';
import type { NetworkCalls } from './stand-in.js';

/** Injection token of `RemoteNetworks`, or of null where no broker is configured. */
export const REMOTE_NETWORKS = Symbol('networks over the broker');

/** Networks whose messages leave through another process. Its implementation loads the broker's libraries. */
export interface RemoteNetworks {
  /** Whether this network's messages leave through the process with its role, and nowhere else. */
  carries(adapter: Adapter): boolean;
  /** Asked of whichever process runs the connection. */
  far(network: NetworkId): NetworkCalls;
  /** The same of the connection that runs here, with the same care for repeats. */
  near(adapter: Adapter): NetworkCalls;
  /** Answers for an adapter that runs here from now on, as soon as there is a broker. */
  serve(adapter: Adapter): void;
  /** Answers what it took, and takes nothing more. */
  withdraw(network: NetworkId): Promise<void>;
  close(): Promise<void>;
}
