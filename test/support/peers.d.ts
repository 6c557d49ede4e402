export type PeerName =
  'swaks' | 'smtp-source' | 'systemd-analyze' | 'chromium' | 'postgresql-15' | 'rabbitmq-server' | 'synapse';

export interface Peer {
  readonly name: PeerName;
  /** The command that brings it to a Debian. */
  readonly install: string;
  /** Path of the program; null if it is not installed. */
  find(): string | null;
  probe(): boolean;
}

export const PEERS: Readonly<Record<PeerName, Peer>>;

export function needs(name: PeerName): string;
