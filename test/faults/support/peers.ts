import path from 'node:path';
import type { PostgresConnection } from '../../../src/sandbox/embedded-postgres.js';
import { startChainLink, type ChainLink } from '../../support/chain-link.js';
import { FaultLink } from '../../support/fault-link.js';
import type { FarSide } from './far-side.js';
import type { MailSide } from './mail-side.js';

/** Something that the service depends on, and the way to it. */
export interface Peer {
  readonly name: PeerName;
  readonly link: FaultLink;
  /** Has it answer with 5xx, or stop doing so; not given where no such answer exists. */
  readonly trouble?: (isTroubled: boolean) => void;
}

export const FAULTS = ['refuse', 'stall', 'cut', 'slow', '5xx'] as const;
export type Fault = (typeof FAULTS)[number];

/** All peers: a new one is a line here and one in `fault-world.ts`. PostgreSQL has nothing like an answer of 5xx. */
export const PEERS = [
  { name: 'postgres', answers5xx: false },
  { name: 'chain', answers5xx: true },
  { name: 'mail', answers5xx: true },
  { name: 'service', answers5xx: true },
  { name: 'fake', answers5xx: true },
] as const;

/** The broker is there in the long form only. */
export type PeerName = (typeof PEERS)[number]['name'] | 'broker';

/** Which of them a peer can have. */
export function faultsOf({ answers5xx }: { answers5xx: boolean }): Fault[] {
  return FAULTS.filter((fault) => fault !== '5xx' || answers5xx);
}

const SLOW_MS = 40;

/** @param cutAfter bytes towards the peer that still get through */
export async function disturb({ link, trouble }: Peer, fault: Fault, cutAfter: number): Promise<void> {
  if (fault === 'refuse') return link.refuse();
  if (fault === 'stall') return link.stall();
  if (fault === 'cut') return link.cutAfter(cutAfter);
  if (fault === 'slow') return link.slow(SLOW_MS);
  trouble!(true);
}

export async function mend({ link, trouble }: Peer): Promise<void> {
  trouble?.(false);
  await link.mend();
}

/** PostgreSQL by its unix socket; it has no other. */
export async function postgresPeer({ host, port }: Pick<PostgresConnection, 'host' | 'port'>): Promise<Peer> {
  return { name: 'postgres', link: await FaultLink.open({ path: path.join(host, `.s.PGSQL.${port}`) }) };
}

export async function chainPeer(): Promise<Peer & { readonly node: ChainLink }> {
  const node = await startChainLink();
  const trouble = (isTroubled: boolean) => (isTroubled ? node.fail() : node.mend());
  return { name: 'chain', link: await FaultLink.open({ port: node.port }), trouble, node };
}

/** The next hop of mail. In trouble it greets with 554 and hangs up: it says nothing about any mail. */
export async function mailPeer({ server }: MailSide): Promise<Peer> {
  const trouble = (isTroubled: boolean) => void (server.mood = isTroubled ? 'shuts' : 'takes');
  return { name: 'mail', link: await FaultLink.open({ port: server.port }), trouble };
}

export async function servicePeer(port: number, trouble: (isTroubled: boolean) => void): Promise<Peer> {
  return { name: 'service', link: await FaultLink.open({ port }), trouble };
}

export async function fakePeer(side: FarSide): Promise<Peer> {
  const trouble = (isTroubled: boolean) => void (side.isTroubled = isTroubled);
  return { name: 'fake', link: await FaultLink.open({ port: side.port }), trouble };
}
