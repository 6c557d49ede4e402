import type { Options } from 'pino-http';
import type { Logger } from 'pino';

const HIDDEN = { req: () => undefined, res: () => undefined, err: () => undefined };

/** One line a request: method, status and time. URLs hold names and are left out. */
export function requestLogging(logger: Logger): Options {
  return {
    logger,
    serializers: HIDDEN,
    wrapSerializers: false,
    quietReqLogger: true,
    customLogLevel: (_req, res) => (res.statusCode >= 500 ? 'warn' : 'debug'),
    customSuccessObject: (req, res, line: { responseTime?: number }) => ({
      event: 'http.request',
      method: req.method,
      status: res.statusCode,
      ms: line.responseTime,
    }),
    customErrorObject: (req, res) => ({ event: 'http.request', method: req.method, status: res.statusCode }),
    customSuccessMessage: () => '',
    customErrorMessage: () => '',
  };
}
