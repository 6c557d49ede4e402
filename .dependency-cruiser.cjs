// The map of the house: which folder may import which (docs/architecture.md draws the same).
const from = (path, extra = {}) => ({ path: `^src/${path}/`, ...extra });
const only = (name, folder, allowed) => ({
  name,
  comment: `${folder} may import only ${allowed.join(', ')}`,
  severity: 'error',
  from: from(folder, { pathNot: '\\.spec\\.ts$' }),
  to: { path: '^src/', pathNot: `^src/(${[folder, ...allowed].join('|')})/` },
});

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    only('common-imports-nothing', 'common', []),
    only('protocol-is-pure', 'protocol', ['common']),
    only('config-below', 'config', ['common']),
    only('ops-below', 'ops', ['common', 'config']),
    only('storage-below', 'storage', ['common', 'protocol', 'config', 'ops']),
    only('outbox-below', 'outbox', ['common', 'storage', 'config', 'ops']),
    only('naming-below', 'naming', ['common', 'protocol', 'storage', 'config', 'ops']),
    only('delivery-below', 'delivery', ['common', 'protocol', 'storage', 'outbox', 'naming', 'config', 'ops']),
    only('gateway-below', 'gateway', [
      'common',
      'protocol',
      'storage',
      'outbox',
      'naming',
      'delivery',
      'config',
      'ops',
    ]),
    ...['email'].map((name) =>
      only(`adapter-${name}-sees-only-the-port`, `adapters/${name}`, ['common', 'gateway/adapter', 'config', 'ops']),
    ),
    only('adapter-matrix-sees-only-the-port-and-its-tables', 'adapters/matrix', [
      'common',
      'gateway/adapter',
      'storage',
      'config',
      'ops',
    ]),
    {
      name: 'protocol-does-no-io',
      severity: 'error',
      from: from('protocol', { pathNot: '\\.spec\\.ts$' }),
      to: {
        path: '^node_modules/|^node:',
        pathNot: 'node_modules/(@noble|sodium-native|hash-wasm|safe-stable-stringify|zod)',
      },
    },
    {
      name: 'no-core-modules-in-protocol',
      comment: 'but for the provider, where node:crypto is one crypto library among others',
      severity: 'error',
      from: from('protocol', { pathNot: '\\.spec\\.ts$|^src/protocol/crypto/sodium\\.ts$' }),
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'only-env-reads-the-environment',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(config|cli|main)' },
      to: { path: '^src/config/env\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-tests-in-the-product',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.spec\\.ts$' },
      to: { path: '(^test/|\\.spec\\.ts$)' },
    },
    {
      name: 'not-to-dev-dependencies',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.spec\\.ts$|^src/naming/contracts/build' },
      to: { dependencyTypes: ['npm-dev'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.json'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
    moduleSystems: ['es6', 'cjs'],
  },
};
