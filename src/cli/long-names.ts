/** Docker's long names of commands, where they are not the name itself after `container`. */
const longNames: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  container: { ls: 'ps', list: 'ps', ps: 'ps', remove: 'rm' },
  image: {
    ls: 'images',
    list: 'images',
    rm: 'rmi',
    remove: 'rmi',
    import: 'import',
    load: 'load',
    tag: 'tag',
    inspect: 'inspect',
  },
  system: { info: 'info', events: 'events' },
};
const ofImages: ReadonlySet<string> = new Set([
  'images',
  'rmi',
  'import',
  'load',
  'tag',
  'info',
  'version',
  'events',
  'keep',
]);

/** `container ls` in short; words that are no long name are left as they are. */
export function inShort(words: readonly string[]): readonly string[] {
  const [group = '', name = '', ...rest] = words;
  const short = longNames[group]?.[name];
  if (short !== undefined) return [short, ...rest];
  return group === 'container' && name !== '' && !name.startsWith('-') && !ofImages.has(name) ? [name, ...rest] : words;
}
