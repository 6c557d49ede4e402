import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { contractArtifact, type ContractName } from './artifacts.js';

const sources = readdirSync(new URL('.', import.meta.url)).filter((file) => file.endsWith('.sol'));

describe('contract artifacts', () => {
  it.each(sources)('%s was compiled as it is now (else run scripts/build-contracts.mjs)', (file) => {
    const source = readFileSync(new URL(file, import.meta.url));
    const { sourceHash, bytecode } = contractArtifact(file.replace('.sol', '') as ContractName);
    expect(sourceHash).toBe(createHash('sha256').update(source).digest('hex'));
    expect(bytecode).toMatch(/^0x[0-9a-f]{200,}$/);
  });

  it('of the tests are no older than their sources either', () => {
    const folder = new URL('../../../test/support/contracts/', import.meta.url);
    const source = readFileSync(new URL('Erc1271Wallet.sol', folder));
    const { sourceHash } = JSON.parse(readFileSync(new URL('artifacts/Erc1271Wallet.json', folder), 'utf8'));
    expect(sourceHash).toBe(createHash('sha256').update(source).digest('hex'));
  });

  it('covers every contract', () => {
    expect(sources).toHaveLength(4);
  });
});
