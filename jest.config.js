// One PostgreSQL and one chain serve the whole run (test/support/global-setup.js); a suite takes a schema of its own.
const swc = {
  jsc: {
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
    target: 'es2023',
    keepClassNames: true,
  },
  module: { type: 'es6' },
  sourceMaps: 'inline',
  swcrc: false,
};
const project = (displayName, testMatch, setupFiles = []) => ({
  displayName,
  testMatch,
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '^.+\\.ts$': ['@swc/jest', swc] },
  setupFiles,
});

export default {
  globalSetup: '<rootDir>/test/support/global-setup.js',
  globalTeardown: '<rootDir>/test/support/global-teardown.js',
  maxWorkers: 3,
  testTimeout: 120_000,
  projects: [
    project('unit', ['<rootDir>/src/**/*.spec.ts']),
    project(
      'e2e',
      ['<rootDir>/test/**/*.e2e-spec.ts', '<rootDir>/test/contract/**/*.spec.ts'],
      ['<rootDir>/test/support/preload.js'],
    ),
    project(
      'faults',
      [
        '<rootDir>/test/faults/*.faults-spec.ts',
        ...(process.env.FAULT_LONG ? ['<rootDir>/test/faults/long/*.faults-spec.ts'] : []),
      ],
      ['<rootDir>/test/support/preload.js'],
    ),
  ],
};
