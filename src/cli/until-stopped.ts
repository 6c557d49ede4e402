const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Resolves at the first signal that asks the process to end; a second one ends it at once. */
export function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        if (asked) process.exit(1);
        asked = true;
        resolve();
      });
    }
  });
}

/** Ends the process with 1 when it still runs so long after it was asked to stop. @param report says what it waits for */
export function endWhenOverdue(stopped: Promise<void>, limitSeconds: number, report: () => void): void {
  void stopped.then(() =>
    setTimeout(() => {
      report();
      process.exit(1);
    }, limitSeconds * 1_000),
  );
}
