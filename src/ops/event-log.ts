import { pino, type DestinationStream, type Logger } from 'pino';

/**
 * What a log line may carry. Ids, codes, counts and times only: names, addresses, texts, subjects and keys have no
 * field to go into, and `redact` is the second fence for what libraries log by themselves.
 */
export interface EventFields {
  readonly id?: string;
  readonly network?: string;
  readonly code?: string;
  readonly count?: number;
  readonly bytes?: number;
  readonly attempt?: number;
  readonly ms?: number;
  readonly port?: number;
  readonly status?: number | string;
  readonly component?: string;
  readonly state?: string;
  readonly verdict?: string;
  readonly next?: string;
}

export interface EventLog {
  debug(event: string, fields?: EventFields): void;
  info(event: string, fields?: EventFields): void;
  warn(event: string, fields?: EventFields): void;
  /** `error`'s name, code and stack frames are kept; its message is not, since messages may quote people. */
  error(event: string, fields?: EventFields, error?: unknown): void;
}

const FIELDS: readonly (keyof EventFields)[] = [
  'id',
  'network',
  'code',
  'count',
  'bytes',
  'attempt',
  'ms',
  'port',
  'status',
  'component',
  'state',
  'verdict',
  'next',
];

/** Drops whatever a caller smuggled in beside the known fields (a spread object, a wider type). */
function safe(fields: EventFields): EventFields {
  return Object.fromEntries(FIELDS.filter((key) => fields[key] !== undefined).map((key) => [key, fields[key]]));
}

/** Frames only: a stack begins with the message, whose own lines may look like frames. */
function frames(error: unknown): { name: string; at: string[]; cause?: unknown } | undefined {
  if (!(error instanceof Error)) return undefined;
  const { message, stack = '' } = error;
  const start = stack.indexOf(message);
  const at = (start < 0 ? '' : stack.slice(start + message.length))
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^at [^\s].*:\d+:\d+\)?$/.test(line))
    .slice(0, 8);
  return { name: error.name, at, ...(error.cause === undefined ? {} : { cause: frames(error.cause) }) };
}

/** Messages of lines are left empty: events have none, and what libraries say may quote people. */
export function createLogger(options: { level: string; destination?: DestinationStream }): Logger {
  const paths = ['req.headers', 'res.headers', 'req.url', 'req.query', 'req.params', 'req.remoteAddress'];
  return pino(
    {
      level: options.level,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths, remove: true },
      serializers: { err: frames, msg: () => '' },
    },
    options.destination ?? pino.destination({ dest: 2, sync: false }),
  );
}

export function createEventLog(logger: Logger): EventLog {
  return {
    debug: (event, fields = {}) => logger.debug({ event, ...safe(fields) }),
    info: (event, fields = {}) => logger.info({ event, ...safe(fields) }),
    warn: (event, fields = {}) => logger.warn({ event, ...safe(fields) }),
    error: (event, fields = {}, error) => logger.error({ event, ...safe(fields), error: frames(error) }),
  };
}

/** For tests and pure tools. */
export const silentLog: EventLog = { debug() {}, info() {}, warn() {}, error() {} };
