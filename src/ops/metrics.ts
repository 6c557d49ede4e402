import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { EventFields, EventLog } from './event-log.js';

/** Everything `/metrics` shows. Labels are events, networks and states: never a name or an address. */
export class Metrics {
  readonly registry = new Registry();
  readonly #events = new Counter({
    name: 'dm3_gateway_events_total',
    help: 'What happened, as in the log: messages received, submitted, delivered, failed.',
    labelNames: ['event', 'network', 'state'] as const,
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry, prefix: 'dm3_gateway_' });
  }

  count(event: string, { network = '', state = '' }: EventFields = {}): void {
    this.#events.inc({ event, network, state });
  }

  /** A value that is read when somebody asks for metrics. */
  observe(name: string, help: string, read: () => Promise<number>): void {
    const gauge: Gauge = new Gauge({
      name: `dm3_gateway_${name}`,
      help,
      registers: [this.registry],
      collect: async () => gauge.set(await read()),
    });
  }

  /** The same for several values, each under what it belongs to: endpoints by host, for example. */
  observeEach<Label extends string>(
    name: string,
    help: string,
    label: Label,
    read: () => ReadonlyMap<string, number>,
  ): void {
    const gauge: Gauge<Label> = new Gauge({
      name: `dm3_gateway_${name}`,
      help,
      labelNames: [label],
      registers: [this.registry],
      collect: () => {
        gauge.reset();
        for (const [each, value] of read()) gauge.set({ [label]: each } as Record<Label, string>, value);
      },
    });
  }
}

/** A log that also counts: what is worth a line is worth a number. */
export function countingLog(log: EventLog, metrics: Metrics): EventLog {
  const counted =
    (write: EventLog['info']): EventLog['info'] =>
    (event, fields) => {
      metrics.count(event, fields);
      write(event, fields);
    };
  return {
    debug: log.debug,
    info: counted(log.info),
    warn: counted(log.warn),
    error: (event, fields, error) => {
      metrics.count(event, fields);
      log.error(event, fields, error);
    },
  };
}
