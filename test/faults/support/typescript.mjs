// Lets a process of the tests run TypeScript of theirs: `src/…` comes from the build, everything else is transformed.
import fs from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@swc/core';

const TEST = new URL('../../', import.meta.url).href;
const SRC = new URL('../../../src/', import.meta.url).href;
const DIST = new URL('../../../dist/', import.meta.url).href;
const OPTIONS = { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'es6' }, swcrc: false };

registerHooks({
  resolve(specifier, context, next) {
    if (!specifier.startsWith('.') || !context.parentURL?.startsWith(TEST)) return next(specifier, context);
    const { href } = new URL(specifier, context.parentURL);
    if (href.startsWith(SRC)) return next(href.replace(SRC, DIST), context);
    const typed = href.replace(/\.js$/, '.ts');
    return next(fs.existsSync(fileURLToPath(typed)) ? typed : href, context);
  },
  load(url, context, next) {
    if (!url.endsWith('.ts')) return next(url, context);
    const { code } = transformSync(fs.readFileSync(fileURLToPath(url), 'utf8'), OPTIONS);
    return { format: 'module', source: code, shortCircuit: true };
  },
});
