declare const brand: unique symbol;

/** A `T` that only its own parser can make, so that an unchecked value cannot stand in for it. */
export type Branded<T, Name extends string> = T & { readonly [brand]: Name };
