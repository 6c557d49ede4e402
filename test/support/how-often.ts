/** The full number in CI; elsewhere fewer will do, so that nobody waits for them before each commit. */
export const howOften = (inCi: number, elsewhere: number): number => (process.env['CI'] ? inCi : elsewhere);
