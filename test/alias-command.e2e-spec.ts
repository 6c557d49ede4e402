import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EthAddress } from '../src/common/ids.js';
import { deployAliasRegistry, setAlias, type Deployer } from '../src/naming/contracts/deploy.js';
import { runOperator } from './support/program.js';
import { fundedDeployer } from './support/test-gateway.js';
import { deployUnlistedRegistry } from './support/unlisted-alias-registry.js';

const IDENTITY = ['--root', 'dao.eth', '--mail-domain', 'mail.dao.example', '--url', 'https://gateway.dao.example/'];
const SHIPPED = ['.gno stands for .gnosis.eth (configuration)', '.up stands for .up.dm3.eth (configuration)'];

const home = fs.mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-alias-'));
const keyFile = path.join(home, 'owner-key');
let owner: Deployer;
let ownerKey: string;
let registry: EthAddress;

beforeAll(async () => {
  ownerKey = `0x${randomBytes(32).toString('hex')}`;
  fs.writeFileSync(keyFile, `${ownerKey}\n`);
  owner = await fundedDeployer(ownerKey);
  registry = await deployAliasRegistry(owner);
  await runOperator(['init', '--dir', home, ...IDENTITY]);
});
afterAll(() => {
  owner.close();
  fs.rmSync(home, { recursive: true });
});

/** With what `init` wrote, completed by the environment. */
function run(args: readonly string[], env: Record<string, string> = {}) {
  return runOperator([...args, '--config', path.join(home, 'gateway.yaml')], {
    cwd: home,
    env: {
      DM3_GATEWAY_CCIP_READ__RESOLVERS: JSON.stringify([`0x${'1'.repeat(40)}`]),
      DM3_GATEWAY_ENS__RPC_URLS: JSON.stringify([process.env['TEST_RPC_URL']]),
      DM3_GATEWAY_ENS__CHAIN_ID: process.env['TEST_CHAIN_ID']!,
      DM3_GATEWAY_NAMES__ALIAS_REGISTRY: JSON.stringify(registry),
      ...env,
    },
  });
}
const alias = (args: readonly string[], env?: Record<string, string>) => run(['alias', ...args], env);
const said = (...lines: string[]) => ({ code: 0, stdout: `${lines.join('\n')}\n`, stderr: '' });
const refused = (words: string) => ({ code: 1, stdout: '', stderr: expect.stringContaining(words) });

describe('dm3-gateway alias', () => {
  it('prints the transaction for the wallet of the owner, and sends nothing', async () => {
    const { code, stdout } = await alias(['set', 'foo', 'foundation.eth']);
    expect(code).toBe(0);
    const [, to, data] =
      /^setAlias\("foo", "foundation\.eth"\) on chain \d+, .*\nto: (.*)\nvalue: 0\ndata: (.*)\n$/.exec(stdout)!;
    expect(to).toBe(registry);
    expect(await alias(['get', 'foo'])).toEqual(said('foo has no alias.'));

    await (await owner.signer.sendTransaction({ to: to!, data: data! })).wait();
    expect(await alias(['get', '.Foo'])).toEqual(said('.foo stands for .foundation.eth (contract)'));
  });

  it('sends it with the key from a file or from the environment', async () => {
    const sent = await alias(['set', 'bar', 'barnard.eth', '--send', '--key-file', keyFile]);
    expect(sent).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\.bar stands .*\nTransaction 0x[0-9a-f]{64}/),
    });
    await alias(['set', 'gno', 'gnosis.fund.eth', '--send'], { DM3_GATEWAY_OWNER_KEY: ownerKey });
    expect(await alias(['list'])).toEqual(
      said(
        '.bar stands for .barnard.eth (contract)',
        '.email stands for .email.dao.eth (configuration)',
        '.foo stands for .foundation.eth (contract)',
        '.gno stands for .gnosis.fund.eth (contract)',
        SHIPPED[1]!,
      ),
    );
    expect(await run(['name', 'max.gno'])).toEqual(said('max.gnosis.fund.eth'));
    expect(JSON.stringify(sent)).not.toContain(ownerKey.slice(2));
  });

  it('says who may, and what is missing', async () => {
    const stranger = { DM3_GATEWAY_OWNER_KEY: '22'.repeat(32) };
    const set = ['set', 'foo', 'stolen.eth', '--send'];
    expect(await alias(set, stranger)).toEqual(refused(`belongs to ${owner.address}`));
    expect(await alias(set)).toEqual(refused("There is no owner's key"));
    expect(await alias([...set, '--key-file', 'none'])).toEqual(refused("Cannot read the owner's key from none."));
    expect(await alias(['set', 'foo', 'a.eth'])).toEqual(refused('has 5 bytes'));
    expect(await alias(['set', '.foo', 'stolen.eth'])).toEqual(refused('write "foo"'));
    expect(await alias(['get', 'foo'])).toEqual(said('.foo stands for .foundation.eth (contract)'));
  });

  it('says that nobody answers, or that there is no registry', async () => {
    const noChain = { DM3_GATEWAY_ENS__RPC_URLS: '["http://127.0.0.1:1"]' };
    for (const args of [['get', 'foo'], ['list'], ['set', 'foo', 'foundation.eth', '--send', '--key-file', keyFile]]) {
      expect(await alias(args, noChain)).toEqual(refused('no Ethereum node answered'));
    }
    expect(await alias(['list'], { DM3_GATEWAY_NAMES__ALIAS_REGISTRY: 'null' })).toMatchObject({ code: 1 });
    expect(await run(['name', 'max.gno'], noChain)).toMatchObject({
      code: 0,
      stdout: 'max.gnosis.eth\n',
      stderr: expect.stringContaining('The alias registry does not answer'),
    });
  });

  it("reads a contract like dm3's, which lists nothing", async () => {
    const unlisted = await deployUnlistedRegistry(owner);
    await setAlias(owner, { aliasRegistry: unlisted, toplevel: 'foo', alias: 'foundation.eth' });
    const env = { DM3_GATEWAY_NAMES__ALIAS_REGISTRY: JSON.stringify(unlisted) };
    expect(await alias(['get', 'foo'], env)).toEqual(said('.foo stands for .foundation.eth (contract)'));
    expect(await alias(['list'], env)).toMatchObject({
      code: 0,
      stdout: expect.not.stringContaining('foo'),
      stderr: expect.stringContaining('cannot list its aliases'),
    });
    expect(await run(['name', 'max.foo'], env)).toEqual(said('max.foundation.eth'));
  });
});
