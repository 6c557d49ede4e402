import { Command } from 'commander';
import { ContractFactory, Interface } from 'ethers';
import type { EmailConfig } from '../adapters/email/config.js';
import { mtaStsPolicy, recordsOf, zoneLine } from '../adapters/email/dns-records.js';
import type { EthAddress } from '../common/ids.js';
import type { Environment } from '../config/env.js';
import type { ConfigTree } from '../config/load.js';
import { loadSecrets, type Secrets } from '../config/secrets.js';
import type { Settings } from '../config/settings.js';
import { OwnService } from '../delivery/own-service.js';
import { deliveryServiceRecord } from '../delivery/service-records.js';
import { aliasTransaction } from '../naming/alias/registry-writer.js';
import { ccipUrl } from '../naming/ccip-read/resolver-check.js';
import { ccipSigners } from '../naming/ccip-read/signer-keys.js';
import { contractArtifact } from '../naming/contracts/artifacts.js';
import { namehash } from '../naming/dns-name.js';
import { normaliseName } from '../naming/ens-name.js';
import { createSodiumProvider } from '../protocol/crypto/sodium.js';
import { DELIVERY_SERVICE_RECORD } from '../protocol/profile/record.js';
import { SERVED_NETWORKS } from './names.js';
import { configFile, loadConfig } from './start.command.js';

/** A transaction for a wallet. */
interface Transaction {
  readonly title: string;
  readonly chainId: number;
  /** Null makes a contract. */
  readonly to: string | null;
  readonly data: string;
  readonly note: string;
}

interface Step {
  readonly title: string;
  /** To be copied as they are. */
  readonly lines: readonly string[];
}

interface Setup {
  readonly transactions: readonly Transaction[];
  readonly dns: readonly Step[];
}

/** In place of a resolver that is still to be deployed: nobody has this address. */
const NOT_DEPLOYED = `0x${'0'.repeat(36)}dead`;
const ens = new Interface([
  'function setResolver(bytes32 node, address resolver)',
  'function setText(bytes32 node, string key, string value)',
]);

/** `dm3-gateway setup`: what the operator has to publish, ready to be copied. */
export function setupCommand(env: Environment): Command {
  return new Command('setup')
    .description('Print all that has to be published for this configuration: transactions and DNS records.')
    .option('--config <file>', 'configuration file')
    .option('--json', 'one JSON object, for programs', false)
    .addHelpText('after', '\nIt changes nothing and asks nobody. "dm3-gateway doctor" tells what is published already.')
    .action(async ({ config, json }: { config?: string; json: boolean }) => {
      const { settings, email } = loadConfig(config ?? configFile(env), env, withResolver);
      const setup = await setupOf(settings, loadSecrets(settings.secrets, env), email);
      console.log(json ? JSON.stringify(setup, null, 2) : inWords(setup));
    });
}

/** A configuration is not usable without a resolver, but this is the command that says how to get one. */
function withResolver(tree: ConfigTree): ConfigTree {
  const section = tree['ccipRead'] as ConfigTree | undefined;
  const resolvers = section?.['resolvers'];
  const isThere = Array.isArray(resolvers) && resolvers.some((each) => !/^0x0*$/.test(String(each)));
  return isThere ? tree : { ...tree, ccipRead: { ...section, resolvers: [NOT_DEPLOYED] } };
}

async function setupOf(settings: Settings, secrets: Secrets, email: EmailConfig | undefined): Promise<Setup> {
  const transactions = [
    ...(await resolverTransactions(settings, secrets)),
    ...(await serviceTransactions(settings, secrets)),
    ...aliasTransactions(settings),
  ];
  return { transactions, dns: email ? email.domains.flatMap((domain) => dnsSteps(email, domain)) : [] };
}

/** dm3's contract (dm3 MTP: top-level alias). */
const MAX_ALIAS_BYTES = 50;

async function resolverTransactions(settings: Settings, { rootSecret }: Secrets): Promise<Transaction[]> {
  const { ens: chain, names, ccipRead, http } = settings;
  const { chainId } = chain;
  const [resolver] = ccipRead.resolvers;
  const crypto = await createSodiumProvider();
  const { current, next } = ccipSigners(crypto, rootSecret, ccipRead.signerVersion);
  if (resolver === NOT_DEPLOYED) {
    const { abi, bytecode } = contractArtifact('OffchainResolver');
    const { data } = await new ContractFactory(abi, bytecode).getDeployTransaction(
      [ccipUrl(http.publicUrl)],
      [current, next],
    );
    const title = `Deploy the resolver for ${names.root}`;
    const note = 'Then put its address into ccipRead.resolvers and run "dm3-gateway setup" again.';
    return [{ title, chainId, to: null, data, note }];
  }
  const data = ens.encodeFunctionData('setResolver', [namehash(normaliseName(names.root)), resolver]);
  const note =
    'From the owner of the name. If it is wrapped, send the same to the NameWrapper in place of the registry.';
  return [{ title: `Make it the resolver of ${names.root}`, chainId, to: chain.registry, data, note }];
}

/** Below our root the service answers for its own name; elsewhere its owner publishes the record. */
async function serviceTransactions(settings: Settings, { rootSecret }: Secrets): Promise<Transaction[]> {
  const { deliveryService, names, http, ens: chain } = settings;
  const { publicUrl } = http;
  const own = new OwnService(await createSodiumProvider(), { rootSecret, name: deliveryService.name, publicUrl });
  if (own.name.endsWith(`.${normaliseName(names.root)}`)) return [];
  const data = ens.encodeFunctionData('setText', [
    namehash(own.name),
    DELIVERY_SERVICE_RECORD,
    deliveryServiceRecord(own),
  ]);
  const title = `Publish keys and URL of ${own.name}`;
  const note = `To the resolver of ${own.name}, from the owner of the name.`;
  return [{ title, chainId: chain.chainId, to: `the resolver of ${own.name}`, data, note }];
}

function aliasTransactions({ names, ens: chain }: Settings): Transaction[] {
  const contract = names.aliasRegistry as EthAddress | undefined;
  if (contract === undefined) return [];
  const { chainId } = names.aliasRegistryChain ?? chain;
  return [...SERVED_NETWORKS].flatMap((network) => {
    const alias = `${network}.${names.root}`;
    if (Buffer.byteLength(alias) > MAX_ALIAS_BYTES) return []; // the contract takes none that long

    const title = `Let .${network} stand for .${alias}`;
    return {
      title,
      chainId,
      ...aliasTransaction(contract, { toplevel: network, alias }),
      note: "From the registry's owner.",
    };
  });
}

function dnsSteps(email: EmailConfig, domain: string): Step[] {
  const records = recordsOf(email, domain).map((record) => ({
    title: `${domain}: ${record.purpose}`,
    lines: [zoneLine(record)],
  }));
  if (!email.tls) return records;
  const url = `https://mta-sts.${domain}/.well-known/mta-sts.txt`;
  return [...records, { title: `${domain}: to be served at ${url}`, lines: mtaStsPolicy(email).trimEnd().split('\n') }];
}

function inWords({ transactions, dns }: Setup): string {
  const calls = transactions.map(({ title, chainId, to, data, note }, index) =>
    [
      `${index + 1}. ${title} (chain ${chainId}). ${note}`,
      `   to: ${to ?? '(none: this makes a contract)'}`,
      '   value: 0',
      `   data: ${data}`,
    ].join('\n'),
  );
  const records = dns.map(({ title, lines }) => [`; ${title}`, ...lines].join('\n'));
  const sections = [['Transactions', calls] as const, ['DNS', records] as const].filter(
    ([, items]) => items.length > 0,
  );
  return sections.map(([heading, items]) => `${heading}\n\n${items.join('\n\n')}`).join('\n\n');
}
