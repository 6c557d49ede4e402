import { Command } from 'commander';
import type { Environment } from '../config/env.js';
import { loadSecrets } from '../config/secrets.js';
import type { Settings } from '../config/settings.js';
import { OwnService } from '../delivery/own-service.js';
import { deliveryServiceRecord } from '../delivery/service-records.js';
import { GhostKeys } from '../gateway/ghosts/ghost-keys.js';
import type { ProfileKeys } from '../protocol/crypto/keys.js';
import type { CryptoProvider } from '../protocol/crypto/provider.js';
import { createSodiumProvider } from '../protocol/crypto/sodium.js';
import { toBase64 } from '../protocol/encoding/base64.js';
import { fromHex } from '../protocol/encoding/hex.js';
import { DELIVERY_SERVICE_RECORD } from '../protocol/profile/record.js';
import { addressNamed, addressOf, isAddress, namesBelow, shownAddress } from './names.js';
import { configFile, loadConfig } from './start.command.js';

/** `dm3-gateway keys`: what may be known of the keys that follow from the root secret. */
export function keysCommand(env: Environment): Command {
  return new Command('keys')
    .description(
      "Print the public halves of this gateway's keys, or of those it holds for somebody on another network.",
    )
    .argument('[address-or-name]', 'carol@example.org, or carol._at.example.org.email.<root>')
    .option('--config <file>', 'configuration file')
    .action(async (text: string | undefined, { config }: { config?: string }) => {
      const { settings } = loadConfig(config ?? configFile(env), env);
      const { rootSecret } = loadSecrets(settings.secrets, env);
      const crypto = await createSodiumProvider();
      console.log(
        text === undefined
          ? await gatewayKeys(crypto, rootSecret, settings)
          : ghostKeys(crypto, rootSecret, settings, text),
      );
    });
}

async function gatewayKeys(
  crypto: CryptoProvider,
  rootSecret: Uint8Array,
  { deliveryService, http }: Settings,
): Promise<string> {
  const { ccipSignerKey } = await import('../naming/naming.module.js'); // late: most commands need none of it
  const own = new OwnService(crypto, { rootSecret, name: deliveryService.name, publicUrl: http.publicUrl });
  return `delivery service: ${own.name}
${publicHalves(own.keys)}
${DELIVERY_SERVICE_RECORD}: ${deliveryServiceRecord(own)}
CCIP-read signer: ${crypto.ethereumAddress(fromHex(ccipSignerKey(rootSecret)))}`;
}

/** The first version, which a ghost has until its keys are rotated: only the database knows of others. */
function ghostKeys(crypto: CryptoProvider, rootSecret: Uint8Array, settings: Settings, text: string): string {
  const names = namesBelow(settings.names);
  const foreign = isAddress(text) ? addressOf(text, names) : addressNamed(text, names);
  const keys = new GhostKeys(crypto, rootSecret);
  return `${shownAddress(foreign)}: ${names.aliases.nameOf(foreign)}
address: ${keys.address(foreign)}
${publicHalves(keys.dm3(foreign, 1))}`;
}

function publicHalves({ encryption, signing }: ProfileKeys): string {
  return `encryption key: ${toBase64(encryption.publicKey)}
signing key: ${toBase64(signing.publicKey)}`;
}
