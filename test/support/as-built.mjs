// For Node processes that run files of the tests as they are: `src/` is the build there, and `.js` means `.ts`.
import { existsSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = new URL('../../', import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    if (!specifier.startsWith('.') || !context.parentURL?.startsWith(`${root}test/`)) return next(specifier, context);
    const url = new URL(specifier, context.parentURL).href.replace(`${root}src/`, `${root}dist/`);
    const source = url.replace(/\.js$/, '.ts');
    return next(!existsSync(fileURLToPath(url)) && existsSync(fileURLToPath(source)) ? source : url, context);
  },
});
