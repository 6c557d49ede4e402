// Compiles our contracts, and those of the tests, into the committed artifacts beside them:
// `node scripts/build-contracts.mjs`.
// A script of its own, because solc installs a process-wide rejection handler that throws.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import solc from 'solc';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const FOLDERS = ['src/naming/contracts', 'test/support/contracts'];

function compile(sources) {
  const input = {
    language: 'Solidity',
    sources: Object.fromEntries(Object.entries(sources).map(([file, content]) => [file, { content }])),
    settings: {
      evmVersion: 'paris', // runs on every chain, those without PUSH0 among them
      optimizer: { enabled: true, runs: 200 },
      metadata: { bytecodeHash: 'none' },
      outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
    },
  };
  return JSON.parse(solc.compile(JSON.stringify(input)));
}

function build(folder) {
  const files = fs.readdirSync(folder).filter((file) => file.endsWith('.sol'));
  const sources = Object.fromEntries(files.map((file) => [file, fs.readFileSync(path.join(folder, file), 'utf8')]));
  const { errors = [], contracts } = compile(sources);
  for (const error of errors) process.stderr.write(error.formattedMessage);
  if (errors.length > 0) process.exit(1);

  fs.mkdirSync(path.join(folder, 'artifacts'), { recursive: true });
  for (const file of files) {
    const name = path.basename(file, '.sol');
    const { abi, evm } = contracts[file][name];
    const sourceHash = createHash('sha256').update(sources[file]).digest('hex');
    const artifact = { abi, bytecode: `0x${evm.bytecode.object}`, sourceHash };
    fs.writeFileSync(path.join(folder, 'artifacts', `${name}.json`), `${JSON.stringify(artifact, null, 2)}\n`);
  }
}

for (const folder of FOLDERS) build(path.join(root, folder));
