/**
 * Characters that nobody sees, or that turn the text around them: controls, line ends, lone surrogates, zero-width
 * spaces, directions (UAX #44: Default_Ignorable_Code_Point). Joiners, variation selectors and tags are not among them:
 * Persian, Indic scripts, ideographs and emoji need them.
 */
export const INVISIBLE = /(?![\p{Join_C}\p{VS}\u{e0020}-\u{e007f}])[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{DI}]/u;
