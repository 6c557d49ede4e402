/** One line of `dm3-gateway doctor`: what is so, and how to mend it. */
export interface Finding {
  readonly level: 'ok' | 'warning' | 'error';
  /** Stable and machine-readable: `MX_MISSING`. */
  readonly code: string;
  /** A whole sentence. */
  readonly message: string;
  /** What to do, a whole sentence or the record to publish; null if nothing is to be done. */
  readonly fix: string | null;
}

/** Something that is as it should be. */
export function fine(code: string, message: string): Finding {
  return { level: 'ok', code, message, fix: null };
}

/** It works, but less well or less safely than it could. */
export function warning(code: string, message: string, fix: string): Finding {
  return { level: 'warning', code, message, fix };
}

/** Something does not work. */
export function failure(code: string, message: string, fix: string): Finding {
  return { level: 'error', code, message, fix };
}
