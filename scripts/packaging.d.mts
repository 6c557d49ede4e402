export const LIMIT_SECONDS: number;
export function lintDockerfile(text: string, options?: { readonly root?: string; readonly ignore?: string }): string[];
export function lintCompose(file: string, options: { readonly limitSeconds: number }): string[];
export function lintComposeSyntax(file: string): string[];
export function lintUnit(text: string, options: { readonly limitSeconds: number }): string[];
export function readUnit(text: string): Map<string, string[]>;
