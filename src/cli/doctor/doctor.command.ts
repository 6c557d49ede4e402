import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { systemDns, zoneDns, type DnsResolver, type DnsZone } from '../../adapters/email/dns.js';
import type { Environment } from '../../config/env.js';
import { ConfigError } from '../../config/errors.js';
import { loadSecrets } from '../../config/secrets.js';
import { examine, type Examined } from '../../ops/doctor/check.js';
import type { Finding } from '../../ops/doctor/finding.js';
import { DEFAULT_SANDBOX_DIR } from '../paths.js';
import { readSandboxFile } from '../sandbox-file.js';
import { configFile, loadConfig } from '../start.command.js';

interface Options {
  readonly config?: string;
  readonly sandbox?: string | true;
  readonly dnsZone?: string;
  readonly json: boolean;
  readonly strict: boolean;
}

interface Place {
  readonly config: string;
  readonly dnsZone: string | undefined;
}

/** `dm3-gateway doctor`: compares the configuration with the world. */
export function doctorCommand(env: Environment): Command {
  return new Command('doctor')
    .description(
      'Check secrets, database, broker, Ethereum, ENS, DNS, mail and Matrix against the configuration, and say what to fix.',
    )
    .option('--config <file>', 'configuration file')
    .option('--sandbox [dir]', 'look at the running sandbox, with its stand-in for DNS')
    .option('--dns-zone <file>', 'ask this JSON file in place of DNS: {"<name>": {"MX": [{exchange, priority}], ...}}')
    .option('--json', 'one JSON object, for programs', false)
    .option('--strict', 'warnings fail, too', false)
    .addHelpText('after', '\nExit code: 0 if nothing has to be mended, 1 if something has, for scripts.')
    .action((options: Options) => run(options, env));
}

async function run(options: Options, env: Environment): Promise<void> {
  const { config, dnsZone } = placeOf(options, env);
  const { settings, email, matrix } = loadConfig(config, env);
  const resolver = dnsZone === undefined ? systemDns() : zoneIn(dnsZone);
  const secrets = loadSecrets(settings.secrets, env);
  const { allChecks } = await import('./all-checks.js'); // late: it loads every part
  const { checks, close } = await allChecks({ settings, secrets, email, matrix, resolver });
  const seen: Examined[] = [];
  try {
    for await (const examined of examine(checks)) {
      seen.push(examined);
      if (!options.json) console.log(inWords(examined));
    }
  } finally {
    close();
  }
  const counts = countsOf(seen.flatMap(({ findings }) => findings));
  console.log(options.json ? JSON.stringify({ ...counts, subjects: seen }, null, 2) : summary(counts));
  process.exitCode = counts.errors > 0 || (options.strict && counts.warnings > 0) ? 1 : 0;
}

function placeOf({ config, sandbox, dnsZone }: Options, env: Environment): Place {
  if (sandbox === undefined) return { config: config ?? configFile(env), dnsZone };
  const dir = sandbox === true ? DEFAULT_SANDBOX_DIR : sandbox;
  readSandboxFile(dir); // it must be running
  return { config: path.join(dir, 'gateway.yaml'), dnsZone: dnsZone ?? path.join(dir, 'dns-zone.json') };
}

/** @throws ConfigError */
function zoneIn(file: string): DnsResolver {
  try {
    return zoneDns(JSON.parse(readFileSync(file, 'utf8')) as DnsZone);
  } catch (cause) {
    throw new ConfigError({ message: `Cannot read a DNS zone from ${file}: ${(cause as Error).message}.`, cause });
  }
}

const MARKS: Readonly<Record<Finding['level'], string>> = { ok: 'ok     ', warning: 'warning', error: 'ERROR  ' };
const INDENT = ' '.repeat(MARKS.ok.length + 2);

function inWords({ subject, findings }: Examined): string {
  const lines = findings.map(({ level, message, fix }) => {
    const line = `  ${MARKS[level]}  ${message}`;
    return fix === null ? line : `${line}\n  ${INDENT}${fix}`;
  });
  return [subject, ...(lines.length > 0 ? lines : [`  ${MARKS.ok}  Nothing to mend.`])].join('\n');
}

interface Counts {
  readonly ok: number;
  readonly warnings: number;
  readonly errors: number;
}

function countsOf(findings: readonly Finding[]): Counts {
  const count = (level: Finding['level']) => findings.filter((finding) => finding.level === level).length;
  return { ok: count('ok'), warnings: count('warning'), errors: count('error') };
}

function summary({ ok, warnings, errors }: Counts): string {
  const rest = [plural(warnings, 'warning'), plural(errors, 'error')].filter(Boolean).join(', ');
  return `\n${ok} ok${rest && `, ${rest}`}.`;
}

const plural = (count: number, noun: string): string =>
  count === 0 ? '' : `${count} ${noun}${count === 1 ? '' : 's'}`;
