/** A value that the callee promises not to change, arrays and objects in it included. */
export type DeepReadonly<T> = T extends (infer Each)[]
  ? readonly DeepReadonly<Each>[]
  : T extends (...parameters: never[]) => unknown
    ? T
    : T extends object
      ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
      : T;
