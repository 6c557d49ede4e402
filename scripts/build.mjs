// src -> dist with SWC (about 2 s), skipped when nothing changed. `node scripts/build.mjs --force` builds anyway.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const stamp = path.join(root, 'dist', '.built');

function newest(dir) {
  let latest = 0;
  for (const entry of fs.readdirSync(dir, { withFileTypes: true, recursive: true })) {
    latest = Math.max(latest, fs.statSync(path.join(entry.parentPath, entry.name)).mtimeMs);
  }
  return latest;
}

function isStale() {
  if (!fs.existsSync(path.join(root, 'src'))) return false; // an installed package ships dist only
  if (!fs.existsSync(stamp)) return true;
  const built = fs.statSync(stamp).mtimeMs;
  return newest(path.join(root, 'src')) > built || fs.statSync(path.join(root, 'package.json')).mtimeMs > built;
}

export async function buildIfStale({ force = false } = {}) {
  if (!force && !isStale()) return;
  const started = new Date();
  process.stderr.write('Building...\n');
  const fresh = `dist.${process.pid}`; // swapped in whole, so that a build never pulls files from under a running process
  const swc = path.join(root, 'node_modules', '@swc', 'cli', 'bin', 'swc.js');
  const args = [swc, 'src', '-d', fresh, '--strip-leading-paths', '--copy-files', '--ignore', '**/*.spec.ts', '-q'];
  const result = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (result.status !== 0) {
    fs.rmSync(path.join(root, fresh), { recursive: true, force: true });
    process.stderr.write('The build failed; the lines above say where.\n');
    process.exit(1);
  }
  fs.writeFileSync(path.join(root, fresh, '.built'), '');
  fs.utimesSync(path.join(root, fresh, '.built'), started, started);
  const stale = `${fresh}.old`;
  if (fs.existsSync(path.join(root, 'dist'))) fs.renameSync(path.join(root, 'dist'), path.join(root, stale));
  fs.renameSync(path.join(root, fresh), path.join(root, 'dist'));
  fs.rmSync(path.join(root, stale), { recursive: true, force: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildIfStale({ force: process.argv.includes('--force') });
