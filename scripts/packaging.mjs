// What can be checked of docker/ without Docker: linters from npm, and what this project asks for beyond them.
//   node scripts/packaging.mjs     checks the files of this project
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { DCLinter } from 'dclint';
import { DockerfileParser } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';
import { parse } from 'yaml';

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');

/** Names of variables that should not hold a value in a file which everybody reads. */
const SECRET = /pass|secret|token|key(?!s?_?file)/i;
/** `registry.example/image` or `localhost:5000/image`: which registry is the operator's choice. */
const REGISTRY = /^(localhost|[^/]*[.:][^/]*)\//;
/** Rules of taste: the files are ordered for their readers. */
const TASTE = [
  'service-keys-order',
  'services-alphabetical-order',
  'top-level-properties-order',
  'no-quotes-in-volumes',
];

/** @returns what is wrong, a line each */
export function lintDockerfile(text, { root = ROOT, ignore = read('.dockerignore') } = {}) {
  const found = validate(text).map(({ range, message }) => `line ${range.start.line + 1}: ${message}`);
  if (found.length > 0) return found;
  const file = DockerfileParser.parse(text);
  const stages = new Set(file.getFROMs().map((from) => from.getBuildStage()));
  return [
    ...file.getFROMs().flatMap((from) => imageProblems(from.getImage(), stages)),
    ...file.getCOPYs().flatMap((copy) => copyProblems(copy, stages, { root, ignore })),
    ...file.getInstructions().flatMap(instructionProblems),
    ...finalStageProblems(file.getInstructions()),
  ];
}

function imageProblems(image, stages = new Set()) {
  if (stages.has(image)) return [];
  const tag = /:([^/:]+)$/.exec(image)?.[1] ?? 'latest';
  return [
    ...(REGISTRY.test(image) ? [`${image}: names a registry`] : []),
    ...(tag.includes('latest') ? [`${image}: needs a version as its tag`] : []),
  ];
}

/** What is copied must be there, and must not be kept from the build by .dockerignore. */
function copyProblems(copy, stages, { root, ignore }) {
  const from = copy.getFromFlag()?.getValue();
  if (from !== undefined) return stages.has(from) ? [] : [`COPY --from=${from}: there is no such stage`];
  const sources = copy.getArguments().map((argument) => argument.getValue());
  return sources.slice(0, -1).flatMap((source) => {
    if (!fs.existsSync(path.join(root, source))) return [`COPY ${source}: there is no such file`];
    return isIgnored(source, ignore) ? [`COPY ${source}: .dockerignore keeps it away`] : [];
  });
}

/** The part of .dockerignore that this project uses: `*`, and `!path` for what is let in. */
function isIgnored(source, ignore) {
  const lines = ignore.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const letIn = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  return lines.includes('*') && !letIn.some((entry) => source === entry || source.startsWith(`${entry}/`));
}

function instructionProblems(instruction) {
  const keyword = instruction.getKeyword();
  if (keyword === 'ADD') return ['ADD: COPY does, and fetches nothing'];
  if (keyword !== 'ENV' && keyword !== 'ARG') return [];
  const names = instruction.getProperties?.().map((property) => property.getName()) ?? [
    instruction.getProperty()?.getName(),
  ];
  return names
    .filter((name) => SECRET.test(name ?? ''))
    .map((name) => `${keyword} ${name}: a secret would stay in a layer`);
}

function finalStageProblems(instructions) {
  const start = instructions.findLastIndex((each) => each.getKeyword() === 'FROM');
  const last = instructions.slice(start);
  const argumentsOf = (keyword) =>
    last.findLast((each) => each.getKeyword() === keyword)?.getArgumentsContent?.() ?? null;
  const isJson = (text) => text?.trimStart().startsWith('[') ?? false;
  const user = argumentsOf('USER');
  return [
    ...(user === null || /^(root|0)(:|$)/.test(user) ? ['USER: the process would run as root'] : []),
    ...(isJson(argumentsOf('ENTRYPOINT')) ? [] : ['ENTRYPOINT: must be a list, else a shell gets the signals']),
    ...(argumentsOf('HEALTHCHECK') === null ? ['HEALTHCHECK: there is none'] : []),
  ];
}

/** What the linter says: enough for a file that only adds to another. */
export function lintComposeSyntax(file) {
  const rules = Object.fromEntries(TASTE.map((rule) => [rule, 0]));
  const [result] = new DCLinter({ rules, quiet: true, debug: false, exclude: [] }).lintFiles([file], false);
  return (result?.messages ?? []).map(({ line, message }) => `line ${line}: ${message}`);
}

/** @param file where it is, for the linter reads it itself */
export function lintCompose(file, { limitSeconds }) {
  const found = lintComposeSyntax(file);
  if (found.length > 0) return found;
  const project = parse(fs.readFileSync(file, 'utf8'), { merge: true });
  return Object.entries(project.services).flatMap(([name, service]) =>
    [...serviceProblems(service, limitSeconds), ...danglingNames(service, project)].map(
      (problem) => `${name}: ${problem}`,
    ),
  );
}

/** What the schema cannot know: whether a name stands for something. */
function danglingNames(service, project) {
  const names = (list) => (Array.isArray(list) ? list : Object.keys(list ?? {}));
  const sourceOf = (entry) => (typeof entry === 'string' ? entry.split(':')[0] : entry.source);
  const used = {
    services: names(service.depends_on),
    networks: names(service.networks),
    secrets: names(service.secrets).map(sourceOf),
    configs: names(service.configs).map(sourceOf),
    volumes: names(service.volumes).map(sourceOf),
  };
  return Object.entries(used).flatMap(([kind, list]) =>
    list.filter((name) => !Object.hasOwn(project[kind] ?? {}, name)).map((name) => `there is no ${name} in ${kind}`),
  );
}

function serviceProblems(service, limitSeconds) {
  const isOurs = service.image.startsWith('dm3-gateway:');
  const image = service.image.replace(/\$\{\w+:-([^}]*)\}/, '$1');
  return [
    ...imageProblems(image),
    ...(service.security_opt?.includes('no-new-privileges:true') ? [] : ['may gain privileges']),
    ...(service.cap_drop?.includes('ALL') ? [] : ['keeps its capabilities']),
    ...(service.deploy?.resources?.limits?.memory ? [] : ['has no limit of memory']),
    ...(isOurs || service.healthcheck ? [] : ['has no health check']),
    ...(!isOurs || service.read_only ? [] : ['may write to its image']),
    ...(!isOurs || seconds(service.stop_grace_period) > limitSeconds ? [] : ['is killed before it can stop']),
    ...Object.entries(service.environment ?? {})
      .filter(([variable]) => SECRET.test(variable) && !variable.endsWith('_FILE'))
      .map(([variable]) => `${variable}: a secret belongs into a file`),
  ];
}

const seconds = (text) => Number(/^(\d+)s$/.exec(text ?? '')?.[1] ?? 0);

/** Sections and settings of a systemd unit; a setting may come several times. */
export function readUnit(text) {
  const settings = new Map();
  for (const line of text.split('\n')) {
    const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (name) settings.set(name, [...(settings.get(name) ?? []), value]);
  }
  return settings;
}

/** What `systemd-analyze verify` does not ask for. */
export function lintUnit(text, { limitSeconds }) {
  const unit = readUnit(text);
  const first = (name) => unit.get(name)?.[0];
  const wanted = { NoNewPrivileges: 'yes', ProtectSystem: 'strict', PrivateTmp: 'yes', KillMode: 'mixed' };
  return [
    ...Object.entries(wanted)
      .filter(([name, value]) => first(name) !== value)
      .map(([name, value]) => `${name} should be ${value}`),
    ...(first('User') && first('User') !== 'root' ? [] : ['User: the process would run as root']),
    ...(Number(first('TimeoutStopSec') ?? 0) > limitSeconds ? [] : ['TimeoutStopSec: it is killed before it can stop']),
    ...(unit.get('Environment') ?? [])
      .map((entry) => entry.split('=')[0])
      .filter((name) => SECRET.test(name) && !name.endsWith('_FILE'))
      .map((name) => `${name}: a secret belongs into a credential`),
  ];
}

function read(name) {
  return fs.readFileSync(path.join(ROOT, name), 'utf8');
}

/** As `src/config/settings.ts` has it; test/packaging.e2e-spec.ts holds them together. */
export const LIMIT_SECONDS = 25;

function main() {
  const limitSeconds = LIMIT_SECONDS;
  const problems = {
    'docker/Dockerfile': lintDockerfile(read('docker/Dockerfile')),
    'docker/compose.yaml': lintCompose(path.join(ROOT, 'docker/compose.yaml'), { limitSeconds }),
    'docker/compose.matrix.yaml': lintComposeSyntax(path.join(ROOT, 'docker/compose.matrix.yaml')),
    'docker/dm3-gateway.service': lintUnit(read('docker/dm3-gateway.service'), { limitSeconds }),
  };
  const lines = Object.entries(problems).flatMap(([file, found]) => found.map((problem) => `${file}: ${problem}`));
  if (lines.length > 0) process.stderr.write(`${lines.join(os.EOL)}\n`);
  process.exitCode = lines.length > 0 ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
