// CommonJS satellites of Nest require() its ESM packages; loading those first keeps Jest from meeting them in a cycle.
await import('@nestjs/common');
await import('@nestjs/core');
