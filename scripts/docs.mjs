// Writes the pages of docs/ that are made from the code: `npm run docs`.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { aliasNamesPage } from './alias-names-page.mjs';
import { buildIfStale } from './build.mjs';

await buildIfStale();
const { AliasNames } = await import('../dist/naming/alias/alias-names.js');
const { ALL_CODECS, readAddress } = await import('../dist/naming/alias/notations.js');

const names = new AliasNames({ rootName: 'gateway.eth', codecs: ALL_CODECS });
const page = aliasNamesPage({ readAddress, nameOf: (address) => names.nameOf(address) });
const file = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'docs', 'alias-names.md');
const style = await resolveConfig(file);
fs.writeFileSync(file, await format(page, { ...style, filepath: file }));
