import { systemClock } from '../common/clock.js';
import type { ForeignAddress } from '../common/ids.js';
import { loadSecrets } from '../config/secrets.js';
import { GhostKeys } from '../gateway/ghosts/ghost-keys.js';
import { KeyHistory } from '../gateway/ghosts/key-history.js';
import { openedSeconds, profileBelievedSeconds } from '../gateway/ghosts/key-times.js';
import { createSodiumProvider } from '../protocol/crypto/sodium.js';
import { showAddress } from '../naming/alias/notations.js';
import { foreignerCalled } from './foreigner.js';
import type { Rotation } from './rotation.js';
import { moment } from './words.js';

/**
 * Gives all ghosts, or one, the next version of their dm3 keys. It is one row: a SIGKILL leaves it done or not done.
 * @param text address or alias name; undefined for all
 */
export async function rotateGhostKeys(rotation: Rotation, text: string | undefined): Promise<void> {
  const { db, settings, env, dryRun, agree, say } = rotation;
  const foreign = text === undefined ? null : (await foreignerCalled(text, settings)).address;
  const keys = new GhostKeys(await createSodiumProvider(), loadSecrets(settings.secrets, env).rootSecret);
  const ghost = foreign && keys.address(foreign);
  const history = new KeyHistory({ db, clock: systemClock });
  const [{ version }] = await history.versionsOf(ghost);
  const plan = `Replace version ${version} of the dm3 keys ${whose(foreign)}. What is encrypted for it is opened until ${openedUntil(settings)}.`;
  if (dryRun) return say(plan);
  if (!(await agree(plan))) return undefined;
  say(`Version ${await history.rotate(ghost)} ${whose(foreign)} is published and signs.`);
}

const whose = (foreign: ForeignAddress | null) =>
  foreign ? `of ${showAddress(foreign)}` : 'of everybody on other networks';

function openedUntil(settings: Rotation['settings']): string {
  return moment(systemClock.now() + openedSeconds(profileBelievedSeconds(settings)) * 1_000);
}
