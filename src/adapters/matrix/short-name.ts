import { ghostName, isGhostId } from './ghost-id.js';

/** How somebody is called who is mentioned: a ghost by its ENS name, anybody else by his id. */
export function shortNameOf(id: string, serverName: string): string {
  const ghost = isGhostId(id, serverName) ? ghostName(id, serverName) : null;
  return ghost?.kind === 'name' ? ghost.name : id;
}
