import { describe } from '@jest/globals';
import { needs, PEERS, type PeerName } from './peers.js';

/** A `describe` that talks to a program from the system. `npm test` says so where it is missing; CI can demand it. */
export function describeWithPeer(name: PeerName, title: string, body: (program: string) => void): void {
  const program = PEERS[name].find();
  const block = program === null ? describe.skip : describe;
  block(`${title} ${needs(name)}`, () => body(program ?? name));
}
