import { Command } from 'commander';
import { systemClock } from '../common/clock.js';
import { GatewayError } from '../common/errors.js';
import type { EthAddress } from '../common/ids.js';
import type { Environment } from '../config/env.js';
import { loadSecrets, type Secrets } from '../config/secrets.js';
import type { Settings } from '../config/settings.js';
import { OwnService } from '../delivery/own-service.js';
import { deliveryServiceRecord } from '../delivery/service-records.js';
import { GhostKeys } from '../gateway/ghosts/ghost-keys.js';
import { KeyHistory } from '../gateway/ghosts/key-history.js';
import { showAddress } from '../naming/alias/notations.js';
import { ccipSigners } from '../naming/ccip-read/signer-keys.js';
import type { ProfileKeys } from '../protocol/crypto/keys.js';
import type { CryptoProvider } from '../protocol/crypto/provider.js';
import { createSodiumProvider } from '../protocol/crypto/sodium.js';
import { toBase64 } from '../protocol/encoding/base64.js';
import { DELIVERY_SERVICE_RECORD } from '../protocol/profile/record.js';
import type { Queryable } from '../storage/database.js';
import { foreignerCalled } from './foreigner.js';
import { rotateCommand } from './keys-rotate.command.js';
import { configFile, loadConfig } from './start.command.js';
import { moment } from './words.js';

/** `dm3-gateway keys`: what may be known of the keys, and `keys rotate`, which changes those that can be changed. */
export function keysCommand(env: Environment): Command {
  return new Command('keys')
    .description(
      "Print the public halves of this gateway's keys, or of those it holds for somebody on another network.",
    )
    .argument('[address-or-name]', 'carol@example.org, or carol._at.example.org.email.<root>')
    .option('--config <file>', 'configuration file')
    .addCommand(rotateCommand(env))
    .action(async (text: string | undefined, { config }: { config?: string }) => {
      const { settings } = loadConfig(config ?? configFile(env), env);
      const secrets = loadSecrets(settings.secrets, env);
      const crypto = await createSodiumProvider();
      console.log(
        text === undefined
          ? await gatewayKeys(crypto, secrets, settings)
          : await ghostKeys(crypto, secrets, settings, text),
      );
    });
}

async function gatewayKeys(
  crypto: CryptoProvider,
  { rootSecret, storageKeys }: Secrets,
  settings: Settings,
): Promise<string> {
  const { countSealed } = await import('../storage/reseal.js'); // late: most commands need none of it
  const { sealedValues } = await import('./storage-rotation.js');
  const { deliveryService, http, ccipRead } = settings;
  const signers = ccipSigners(crypto, rootSecret, ccipRead.signerVersion);
  const own = new OwnService(crypto, { rootSecret, name: deliveryService.name, publicUrl: http.publicUrl });
  const kept = async (db: Queryable) =>
    `dm3 keys on other networks: ${await versionOf(db, null)}\n${sealedValues(await countSealed(db), storageKeys)}`;
  return `delivery service: ${own.name}
${publicHalves(own.keys)}
${DELIVERY_SERVICE_RECORD}: ${deliveryServiceRecord(own)}
CCIP-read signer: ${signers.current} (next: ${signers.next})
${await fromDatabase(settings, kept)}`;
}

/** What only the database knows, or why it is not known. */
async function fromDatabase({ database }: Settings, read: (db: Queryable) => Promise<string>): Promise<string> {
  const { withDatabase } = await import('./database-session.js');
  try {
    return await withDatabase(database, read);
  } catch (error) {
    if (error instanceof GatewayError) return `versions and counts: unknown. ${error.message}`;
    throw error;
  }
}

const historyIn = (db: Queryable) => new KeyHistory({ db, clock: systemClock });

async function versionOf(db: Queryable, ghost: EthAddress | null): Promise<string> {
  const [{ version, since }] = await historyIn(db).versionsOf(ghost);
  return `version ${version}${since ? ` since ${moment(since.getTime())}` : ''}`;
}

async function ghostKeys(
  crypto: CryptoProvider,
  { rootSecret }: Secrets,
  settings: Settings,
  text: string,
): Promise<string> {
  const { address: foreign, name } = await foreignerCalled(text, settings);
  const keys = new GhostKeys(crypto, rootSecret);
  const address = keys.address(foreign);
  const kept = async (db: Queryable) => {
    const [{ version }] = await historyIn(db).versionsOf(address);
    return `dm3 keys: ${await versionOf(db, address)}\n${publicHalves(keys.dm3(foreign, version))}`;
  };
  return `${showAddress(foreign)}: ${name}
address: ${address}
${await fromDatabase(settings, kept)}`;
}

function publicHalves({ encryption, signing }: ProfileKeys): string {
  return `encryption key: ${toBase64(encryption.publicKey)}
signing key: ${toBase64(signing.publicKey)}`;
}
