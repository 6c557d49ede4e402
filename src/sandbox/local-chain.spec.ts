import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { killHard, runElsewhere } from '../../test/support/other-process.js';
import { startChain, stopOrphanedChain, type LocalChain } from './local-chain.js';
import { freePort, LOOPBACK, PortBusyError } from './ports.js';

let dir: string;
let stateFile: string;
let port: number;
let lines: string[];

beforeEach(async () => {
  dir = fs.mkdtempSync('/tmp/dm3-gateway-chain-');
  stateFile = path.join(dir, 'chain.json');
  port = await freePort();
  lines = [];
});

afterEach(async () => {
  await stopOrphanedChain({ stateFile });
  fs.rmSync(dir, { recursive: true });
});

const start = () => startChain({ stateFile, port, chainId: 1337, log: (line) => lines.push(line) });

async function ask({ rpcUrl }: Pick<LocalChain, 'rpcUrl'>, method: string): Promise<unknown> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: [] });
  const response = await fetch(rpcUrl, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  return ((await response.json()) as { result: unknown }).result;
}

/** A chain that ran, mined once more and stopped. */
async function mineAndStop(): Promise<void> {
  const chain = await start();
  await ask(chain, 'evm_mine');
  await chain.stop();
}

describe('startChain', () => {
  it('answers with its chain id and goes on where it stopped', async () => {
    const chain = await start();
    expect(chain).toMatchObject({ rpcUrl: `http://127.0.0.1:${port}`, chainId: 1337 });
    expect(await ask(chain, 'eth_chainId')).toBe('0x539');
    await ask(chain, 'evm_mine');
    await chain.stop();
    const again = await start();
    expect(await ask(again, 'eth_blockNumber')).toBe('0x1');
    await again.stop();
    expect(lines).toEqual([]);
  });

  it('stops what a killed process left running and loses none of its blocks', async () => {
    const options = JSON.stringify({ stateFile, port, chainId: 1337 });
    const source = `await (await load('sandbox/local-chain.js')).startChain({ ...${options}, log: () => {} });`;
    await killHard(await runElsewhere(source));
    await ask({ rpcUrl: `http://127.0.0.1:${port}` }, 'evm_mine');
    const chain = await start();
    expect(await ask(chain, 'eth_blockNumber')).toBe('0x1');
    await chain.stop();
  });

  it('falls back to the state of the last start when the file was cut short', async () => {
    await mineAndStop();
    await mineAndStop();
    fs.truncateSync(stateFile, 100);
    const chain = await start();
    expect(await ask(chain, 'eth_blockNumber')).toBe('0x1');
    await chain.stop();
    expect(lines).toEqual([`The chain's state in ${stateFile} was cut short: going on from the last start.`]);
  });

  it('begins a new chain when there is nothing to fall back to', async () => {
    fs.writeFileSync(stateFile, '{"block":');
    const chain = await start();
    expect(await ask(chain, 'eth_blockNumber')).toBe('0x0');
    await chain.stop();
    expect(lines).toEqual([`The chain's state in ${stateFile} was cut short: beginning a new chain.`]);
  });

  it('names a port that is in use', async () => {
    const squatter = net.createServer().listen(port, LOOPBACK);
    await once(squatter, 'listening');
    await expect(start()).rejects.toThrow(new PortBusyError({ port, use: 'chain' }));
    squatter.close();
    await once(squatter, 'close');
  });
});
