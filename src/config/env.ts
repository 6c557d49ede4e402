/** The environment as it was when the process started. Nothing else in the house reads `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

export function readEnvironment(): Environment {
  return { ...process.env };
}
