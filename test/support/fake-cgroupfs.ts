import type { CgroupFiles } from '../../src/cgroup/files.ts';

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

/** A cgroup filesystem in memory: groups with files, made with the files that the kernel would make. */
export class FakeCgroupfs implements CgroupFiles {
  readonly groups = new Map<string, Map<string, string>>();
  readonly others = new Map<string, string>();
  readonly writes: string[] = [];
  /** Groups, or files of groups, that this process may not write to. */
  readonly readonlyPaths = new Set<string>();
  /** What a write does instead of being kept; throws, or returns what is kept. */
  onWrite: (path: string, value: string) => string = (_, value) => value;
  newFiles: (path: string) => Record<string, string> = () => ({});

  group(path: string, files: Record<string, string> = {}): this {
    this.groups.set(path, new Map(Object.entries(files)));
    return this;
  }

  text(path: string, content: string): this {
    this.others.set(path, content);
    return this;
  }

  async read(path: string): Promise<string | null> {
    return this.readNow(path);
  }

  readNow(path: string): string | null {
    return this.others.get(path) ?? this.#file(path) ?? null;
  }

  async write(path: string, value: string): Promise<void> {
    if (this.#isReadonly(path)) throw failure('EACCES', path);
    const [directory, name] = split(path);
    const group = this.groups.get(directory);
    if (group === undefined || !group.has(name)) throw failure('ENOENT', path);
    this.writes.push(`${path} ${value}`);
    group.set(name, this.onWrite(path, value));
  }

  async mkdir(path: string): Promise<void> {
    const [directory] = split(path);
    if (this.groups.has(path)) throw failure('EEXIST', path);
    if (!this.groups.has(directory)) throw failure('ENOENT', path);
    if (this.#isReadonly(directory)) throw failure('EACCES', path);
    this.group(path, this.newFiles(path));
  }

  async rmdir(path: string): Promise<void> {
    if (!this.groups.has(path)) throw failure('ENOENT', path);
    if ((this.#file(`${path}/cgroup.procs`) ?? '').trim() !== '' || this.#children(path).length > 0)
      throw failure('EBUSY', path);
    this.groups.delete(path);
  }

  async list(path: string): Promise<{ files: string[]; directories: string[] } | null> {
    const group = this.groups.get(path);
    if (group === undefined) return null;
    return { files: [...group.keys()], directories: this.#children(path).map((child) => child.slice(path.length + 1)) };
  }

  async writable(path: string): Promise<boolean> {
    return (this.groups.has(path) || this.#file(path) !== undefined) && !this.#isReadonly(path);
  }

  #children(path: string): string[] {
    return [...this.groups.keys()].filter(
      (group) => group.startsWith(`${path}/`) && !group.slice(path.length + 1).includes('/'),
    );
  }

  #file(path: string): string | undefined {
    const [directory, name] = split(path);
    return this.groups.get(directory)?.get(name);
  }

  #isReadonly(path: string): boolean {
    return [...this.readonlyPaths].some((each) => path === each || path.startsWith(`${each}/`));
  }
}

function split(path: string): readonly [string, string] {
  const slash = path.lastIndexOf('/');
  return [path.slice(0, slash), path.slice(slash + 1)];
}
