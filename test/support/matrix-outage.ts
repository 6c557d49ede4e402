import { expect } from '@jest/globals';
import type { RealClient } from './dm3-lib.js';
import { eventually } from './eventually.js';
import type { MatrixUser } from './matrix-user.js';
import { aliasOf, BOB, type MatrixWorld } from './matrix-world.js';

const EACH_WAY = 30;
const numbered = (who: string) => Array.from({ length: EACH_WAY }, (_, index) => `${who} ${index}`);

/**
 * Thirty messages each way around a stop of the homeserver: alice's before it, bob's while it is away. All arrive, in
 * order, once. It is stopped when it has brought everything: a transaction that is under way just then Synapse leaves
 * lying until it finds the gateway away the next time (docs/matrix.md).
 * @param away resolves when it may come back
 */
export async function surviveOutage(
  { synapse, bob }: Pick<MatrixWorld, 'synapse' | 'bob'>,
  { alice, room, away }: { alice: MatrixUser; room: string; away: () => Promise<void> },
): Promise<void> {
  for (const text of numbered('alice')) await alice.say(room, text);
  await bob.receive(`alice ${EACH_WAY - 1}`);
  await synapse.stopSynapse('SIGTERM');
  for (const text of numbered('bob')) await bob.send({ to: aliasOf(alice), text });
  await away();
  await synapse.startSynapse();
  await alice.hear(room, `bob ${EACH_WAY - 1}`);
  expect(await textsFrom(alice, bob)).toEqual(numbered('alice'));
  expect((await alice.messages(room, BOB)).map(({ content }) => content.body)).toEqual(numbered('bob'));
  expect(await alice.invitations()).toEqual([]);
  await alice.say(room, 'all is well'); // nothing comes late, either
  await bob.receive('all is well');
  await eventually('both to agree', async () => (await textsFrom(alice, bob)).length === EACH_WAY + 1);
}

async function textsFrom(alice: MatrixUser, bob: RealClient): Promise<(string | undefined)[]> {
  const letters = (await bob.incoming()).filter(({ message }) => message.metadata.from === aliasOf(alice));
  return letters.map(({ message }) => message.message);
}
