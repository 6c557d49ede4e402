import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ConfigError } from '../config/errors.js';
import { addStorageKey } from '../config/secret-files.js';
import { loadSecrets, type Secrets } from '../config/secrets.js';
import type { Settings } from '../config/settings.js';
import { createSodiumProvider } from '../protocol/crypto/sodium.js';
import type { Queryable } from '../storage/database.js';
import { countSealed, resealPass, type ResealResult } from '../storage/reseal.js';
import { KEYS_REREAD_MS, Sealer } from '../storage/sealer.js';
import { progressLine } from './progress-line.js';
import type { Rotation } from './rotation.js';

/** By then every process on this machine seals with a key that was added. */
const TAKEN_UP_MS = KEYS_REREAD_MS + 1_000;
/** More would not help: some process goes on sealing with another key. */
const MAX_PASSES = 5;

/**
 * Puts a new storage key before the others and seals everything anew with it, while the gateway runs. What a SIGKILL
 * leaves: before the key is in its file, nothing; after it, values under both keys, all of which open. Called again,
 * it goes on with the key that is there.
 */
export async function rotateStorageKeys(rotation: Rotation): Promise<void> {
  const { db, settings, env, dryRun, agree, say } = rotation;
  const secrets = loadSecrets(settings.secrets, env);
  const counts = await countSealed(db);
  say(sealedValues(counts, secrets.storageKeys));
  const begun = [...counts.keys()].some((id) => id !== secrets.storageKeys[0].id);
  if (!begun) checkAddable(secrets);
  const plan = begun
    ? `Seal what is under older keys anew with key ${secrets.storageKeys[0].id}, which is there already.`
    : `Put a new key into ${settings.secrets.storageKeysFile} and seal everything anew with it.`;
  if (dryRun) return say(plan);
  if (!(await agree(plan))) return undefined;
  if (!begun) say(`Added key ${addKey(settings, secrets)}: back up ${settings.secrets.storageKeysFile}.`);
  await sealAnew(rotation);
}

/** `1: 20, 2: 1204 (seals)` */
export function sealedValues(counts: ReadonlyMap<number, number>, keys: Secrets['storageKeys']): string {
  const ids = [...new Set([...keys.map(({ id }) => id), ...counts.keys()])].sort((a, b) => a - b);
  const remark = (id: number) => {
    if (id === keys[0].id) return ' (seals)';
    return keys.some((key) => key.id === id) ? '' : ' (missing)';
  };
  return `sealed values by storage key: ${ids.map((id) => `${id}: ${counts.get(id) ?? 0}${remark(id)}`).join(', ')}`;
}

/** @throws ConfigError if the keys are not in a file */
function checkAddable({ storageKeys, rereadStorageKeys }: Secrets): void {
  if (rereadStorageKeys) return;
  const id = Math.max(...storageKeys.map((key) => key.id)) + 1;
  throw new ConfigError({
    message: `The storage keys come from DM3_GATEWAY_STORAGE_KEYS: put "${id}:<64 random hex digits>," before what it holds, start every process anew, and call this again.`,
  });
}

function addKey({ secrets }: Settings, { storageKeys }: Secrets): number {
  const ids = storageKeys.map(({ id }) => id);
  return addStorageKey(secrets.storageKeysFile!, ids);
}

async function sealAnew({ db, settings, env, say }: Rotation): Promise<void> {
  const sealer = new Sealer(await createSodiumProvider(), randomBytes, loadSecrets(settings.secrets, env));
  const key = sealer.activeKeyId;
  let result = await pass(db, sealer);
  await delay(TAKEN_UP_MS);
  for (let passes = 1; passes < MAX_PASSES && (passes === 1 || !isSettled(result)); passes += 1) {
    result = await pass(db, sealer);
  }
  if (result.broken > 0) say(`${result.broken} values do not open, and were left as they are.`);
  say(
    isSettled(result)
      ? `Everything is sealed with key ${key}. Keep the older ones as long as you keep backups from before.`
      : `Values are still being sealed with older keys: some process does not have key ${key}. Bring it there, and call this again.`,
  );
}

function pass(db: Queryable, sealer: Sealer): Promise<ResealResult> {
  const show = progressLine(process.stdout);
  return resealPass(db, sealer, ({ resealed, share }) => show(`Sealed ${resealed} values anew`, share));
}

const isSettled = ({ resealed, left }: ResealResult) => resealed === 0 && left === 0;
