import type { IntervalCounts } from './traffic.store.js';

const HEADER = 'timestampStart,durationSeconds,messageCount,messageSizeBytes,notificationCount';

/** As dm3's reference delivery service writes its metrics; times in seconds since the epoch. */
export function trafficCsv(intervals: readonly IntervalCounts[], durationSeconds: number): string {
  const rows = intervals.map(({ start, messages, bytes, notifications }) =>
    [start, durationSeconds, messages, bytes, notifications].join(','),
  );
  return [HEADER, ...rows, ''].join('\n');
}
