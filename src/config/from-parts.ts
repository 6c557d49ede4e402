import type { FactoryProvider, InjectionToken, Type } from '@nestjs/common';

/** Where one part comes from: a token, or what a function makes of a token's value. */
type Source<Part> =
  Type<Part> | (abstract new (...args: never[]) => Part) | symbol | readonly [InjectionToken, (value: never) => Part];

type Sources<Parts> = { readonly [Name in keyof Parts]-?: Source<Parts[Name]> };

/**
 * Provider of a class that takes its parts as one object: each part by name, with the token it is injected by.
 * Tokens that are classes are checked against the part's type.
 */
export function fromParts<Instance, Parts extends object>(
  provide: new (parts: Parts) => Instance,
  sources: Sources<Parts>,
): FactoryProvider<Instance> {
  const entries = Object.entries<Source<unknown>>(sources);
  return {
    provide,
    inject: entries.map(([, source]) => (Array.isArray(source) ? source[0] : source) as InjectionToken),
    useFactory: (...values: unknown[]) => {
      const parts = entries.map(([name, source], index) => [name, valueOf(source, values[index])]);
      return new provide(Object.fromEntries(parts) as Parts);
    },
  };
}

function valueOf(source: Source<unknown>, value: unknown): unknown {
  return Array.isArray(source) ? (source[1] as (value: unknown) => unknown)(value) : value;
}
