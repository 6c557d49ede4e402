import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

const dist = new URL('../../dist/', import.meta.url);

/**
 * Runs `source` as a module of the built program in a Node process of its own, which then stays until it is killed.
 * Resolves once it has run. `load('sandbox/ports.js')` in it imports from the build.
 */
export async function runElsewhere(source: string): Promise<ChildProcess> {
  const load = `const load = (file) => import(new URL(file, ${JSON.stringify(dist.href)}));`;
  const stay = `process.stdout.write('ready'); setInterval(() => {}, 60_000);`;
  const args = ['--input-type=module', '-e', [load, source, stay].join('\n')];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit').then(([code]) =>
    Promise.reject(new Error(`The other process ended with ${code}.`)),
  );
  await Promise.race([once(child.stdout, 'data'), ended]);
  ended.catch(() => {});
  return child;
}

/** Ends it the hard way: no handler runs. */
export async function killHard(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
