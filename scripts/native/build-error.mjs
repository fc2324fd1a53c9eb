/** A failure whose sentence is all that the reader needs: no stack is shown. */
export class BuildError extends Error {}
