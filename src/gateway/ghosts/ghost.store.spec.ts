import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import type { EthAddress, ForeignAddress, NetworkId } from '../../common/ids.js';
import { GhostStore } from './ghost.store.js';

let storage: TestStorage;
let store: GhostStore;
beforeAll(async () => {
  storage = await openTestStorage('ghosts');
  store = new GhostStore(storage.sealer);
});
afterAll(() => storage.close());

function someGhost() {
  const address = `0x${randomBytes(20).toString('hex')}` as EthAddress;
  const foreign = `mailto:${address}@example.org` as ForeignAddress;
  return { address, network: 'email' as NetworkId, name: `${address}._at.example.org.email.gateway.eth`, foreign };
}

it('finds a ghost by its address and by its name', async () => {
  const ghost = someGhost();
  await store.remember(storage.db, ghost, { used: false });
  expect(await store.byAddress(storage.db, ghost.address)).toBe(ghost.foreign);
  expect(await store.byName(storage.db, ghost.name)).toBe(ghost.foreign);
});

it('remembers a ghost that several ask for at the same moment', async () => {
  for (const ghost of Array.from({ length: 20 }, someGhost)) {
    const asked = [false, true, false, true, false];
    await Promise.all(asked.map((used) => store.remember(storage.db, ghost, { used })));
    expect(await store.byAddress(storage.db, ghost.address)).toBe(ghost.foreign);
  }
});

it('forgets ghosts that nobody wrote to, and keeps the others', async () => {
  const [lookedUp, writtenTo] = [someGhost(), someGhost()];
  await store.remember(storage.db, lookedUp, { used: false });
  await store.remember(storage.db, writtenTo, { used: false });
  await store.remember(storage.db, writtenTo, { used: true });
  await store.purge(storage.db, 0, 10);
  expect(await store.byAddress(storage.db, lookedUp.address)).toBeNull();
  expect(await store.byAddress(storage.db, writtenTo.address)).not.toBeNull();
});
