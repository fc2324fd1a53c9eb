import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OrdinaryUser, type OrdinaryUserOptions, type Ran } from './ordinary-user.ts';
import { writeBusyboxRoot } from './test-runtime.ts';

/** An ordinary user with a root filesystem of busybox, who runs programs that import `libhako`. */
export class ProgrammingUser implements Disposable {
  readonly #user: OrdinaryUser;
  readonly project: string;
  readonly rootfs: string;
  #programs = 0;

  constructor(options: OrdinaryUserOptions) {
    this.#user = new OrdinaryUser(options);
    this.project = this.#user.project;
    this.rootfs = join(this.project, 'rootfs');
    mkdirSync(this.rootfs);
    writeBusyboxRoot(this.rootfs);
  }

  async run(program: string, ...args: readonly string[]): Promise<Ran> {
    const script = join(this.project, `program-${++this.#programs}.mjs`);
    writeFileSync(script, program);
    return this.#user.run(['node', script, ...args]);
  }

  [Symbol.dispose](): void {
    this.#user[Symbol.dispose]();
  }
}
