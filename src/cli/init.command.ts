import fs from 'node:fs';
import path from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import type { z } from 'zod';
import { emailConfigSchema } from '../adapters/email/config.js';
import { recordsOf, zoneLine } from '../adapters/email/dns-records.js';
import { ConfigError } from '../config/errors.js';
import { readConfigTree } from '../config/load.js';
import { loadSecrets } from '../config/secrets.js';
import { coreSettings } from '../config/settings.js';
import { OwnService } from '../delivery/own-service.js';
import { deliveryServiceRecord } from '../delivery/service-records.js';
import { ccipUrl } from '../naming/ccip-read/resolver-check.js';
import { ccipSigners } from '../naming/ccip-read/signer-keys.js';
import { createSodiumProvider } from '../protocol/crypto/sodium.js';
import { DELIVERY_SERVICE_RECORD } from '../protocol/profile/record.js';
import { settleSecrets } from '../config/secret-files.js';
import { configTemplate } from './config-template.js';
import { shown } from './paths.js';

interface Options {
  readonly dir: string;
  readonly root: string;
  readonly mailDomain: string;
  readonly url: string;
  readonly force: boolean;
}

const SCHEMAS = {
  root: coreSettings.names.shape.root,
  mailDomain: emailConfigSchema.shape.domains.element,
  url: coreSettings.http.shape.publicUrl,
};

/** `dm3-gateway init`: a commented configuration, fresh secrets, and what has to be published. */
export function initCommand(): Command {
  return new Command('init')
    .description('Write a commented gateway.yaml and fresh secrets, and print what to publish in ENS and DNS.')
    .requiredOption('--root <name>', 'your ENS name; foreign addresses get names below it', checked(SCHEMAS.root))
    .requiredOption('--mail-domain <domain>', 'people write to <ENS name>@<domain>', checked(SCHEMAS.mailDomain))
    .requiredOption(
      '--url <url>',
      'how the world reaches this service: https://gateway.example.org',
      checked(SCHEMAS.url),
    )
    .option('--dir <dir>', 'where to write', '.')
    .option('--force', 'overwrite gateway.yaml; secrets are never overwritten', false)
    .action(run);
}

function checked(schema: z.ZodType<string>) {
  return (text: string): string => {
    const { success, data, error } = schema.safeParse(text);
    if (!success) throw new InvalidArgumentError(error.issues[0]!.message);
    return data;
  };
}

async function run({ dir, root, mailDomain, url, force }: Options): Promise<void> {
  const file = path.join(dir, 'gateway.yaml');
  if (fs.existsSync(file) && !force) {
    throw new ConfigError({
      message: `${shown(file)} is there already; --force overwrites it, --dir writes elsewhere.`,
    });
  }
  fs.mkdirSync(dir, { recursive: true });
  const files = settleSecrets(path.join(path.resolve(dir), 'secrets'));
  fs.writeFileSync(file, configTemplate({ root, mailDomain, url, files }));
  const crypto = await createSodiumProvider();
  const { rootSecret } = loadSecrets(files, {});
  const signers = ccipSigners(crypto, rootSecret, 1);
  const service = new OwnService(crypto, { rootSecret, name: `ds.${root}`, publicUrl: url });
  console.log(`Wrote ${shown(file)} and secrets/ beside it.

Back up ${shown(files.rootSecretFile)} now, off this machine: every identity this gateway holds for people outside
dm3 derives from it, and losing it loses them all. storage-keys opens what the database holds: back it up too.

Publish in ENS:
  1. Deploy the OffchainResolver contract for ${ccipUrl(url)}
     with the signers ${signers.current} and, for the day on which it changes, ${signers.next}.
     The data of that transaction (docs/contracts.md):
     ./bin/dm3-gateway contracts resolver --url ${url} --signer ${signers.current} ${signers.next}
  2. Make it the resolver of ${root}, and put its address into gateway.yaml (ccipRead.resolvers).
  3. ds.${root} is then answered by this service itself. If you choose another name for the delivery service
     (deliveryService.name), set its text record ${DELIVERY_SERVICE_RECORD} to:
     ${deliveryServiceRecord(service)}

Publish in DNS:
${dnsLines(file, mailDomain).join('\n')}

Then fill in ens.rpcUrls, ccipRead.resolvers and database in ${shown(file)}, and run:
  ./bin/dm3-gateway setup --config ${shown(file)}    the transactions above, ready to be copied
  ./bin/dm3-gateway doctor --config ${shown(file)}   what is still missing
  ./bin/dm3-gateway start --config ${shown(file)}`);
}

/** By the configuration that was just written. */
function dnsLines(file: string, domain: string): string[] {
  const { email } = readConfigTree({ file, env: {} });
  return recordsOf(emailConfigSchema.parse(email), domain).map((record) => `  ${zoneLine(record)}`);
}
