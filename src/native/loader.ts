import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { arch, argv, env, execPath, platform, report } from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { HakoError } from '../base/errors.ts';

/** The three native parts, in one directory. */
export interface NativeFiles {
  readonly directory: string;
  /** `hako.node`: the addon, for this machine's processor and libc. */
  readonly addon: string;
  /** `hako-supervisor`: static, the same for both libcs. */
  readonly supervisor: string;
  /** `hako-worker`: static, the same for both libcs. */
  readonly worker: string;
}

/** What the loader takes from its surroundings; a test gives others. */
export interface LoaderEnvironment {
  readonly platform: string;
  readonly arch: string;
  readonly libc: 'gnu' | 'musl';
  /** `HAKO_NATIVE_DIR`, if set. */
  readonly variable: string | undefined;
  /** The directory of the optional package, if that is installed. */
  resolvePackage(name: string): string | undefined;
  /** `build/native` of the clone that this file belongs to. */
  readonly buildDirectory: string;
}

/**
 * Finds the native parts: in `nativeDirectory`, else in the directory that the environment variable
 * `HAKO_NATIVE_DIR` names, else in the optional package `@libhako/linux-<arch>-<libc>`, else in a clone's own
 * `build/native`. A directory that was named is never passed over for the next.
 *
 * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` on a system or processor that has none, `HAKO_ERR_NATIVE_NOT_FOUND`
 * when they are not there; both say what to do.
 */
export function locateNative(nativeDirectory?: string, environment: LoaderEnvironment = thisProcess()): NativeFiles {
  if (environment.platform !== 'linux') {
    throw new HakoError(
      'HOST_UNSUPPORTED',
      `Containers need a Linux kernel, and this is '${environment.platform}'. The package installs and type-checks here; run the program on Linux, or in a Linux virtual machine.`,
    );
  }
  const target = `linux-${environment.arch}-${environment.libc}`;
  const named = nativeDirectory ?? environment.variable;
  if (named !== undefined) {
    const source =
      nativeDirectory === undefined ? 'the environment variable HAKO_NATIVE_DIR' : "the option 'nativeDirectory'";
    return requireAll(
      resolve(named),
      `${source} names it`,
      `Put hako.node, hako-supervisor and hako-worker for ${target} there, or leave it out.`,
    );
  }
  if (environment.arch !== 'x64' && environment.arch !== 'arm64') {
    throw new HakoError(
      'HOST_UNSUPPORTED',
      `There are no native parts of hako for the processor '${environment.arch}'; it runs on x64 and arm64.`,
    );
  }
  const packageName = `@libhako/${target}`;
  const installed = environment.resolvePackage(packageName);
  if (installed !== undefined)
    return requireAll(installed, `it is the package ${packageName}`, 'Remove node_modules and install again.');

  const built = join(environment.buildDirectory, target);
  if (existsSync(built))
    return requireAll(built, 'it is what this clone builds', 'Run `npm run build:native`, which says what is missing.');
  throw new HakoError(
    'NATIVE_NOT_FOUND',
    `The native parts of hako are missing: neither the optional package '${packageName}' nor '${built}' is there. ` +
      `Install without --omit=optional (npm install ${packageName}), run \`npm run build:native\` in a clone, or name their directory by the option 'nativeDirectory' or HAKO_NATIVE_DIR.`,
    { path: built },
  );
}

function requireAll(directory: string, why: string, remedy: string): NativeFiles {
  const files: NativeFiles = {
    directory,
    addon: join(directory, 'hako.node'),
    supervisor: join(directory, 'hako-supervisor'),
    worker: join(directory, 'hako-worker'),
  };
  const missing = [files.addon, files.supervisor, files.worker].find((path) => !existsSync(path));
  if (missing !== undefined) {
    throw new HakoError(
      'NATIVE_NOT_FOUND',
      `'${missing}' is missing, and hako looks in that directory because ${why}. ${remedy}`,
      { path: missing },
    );
  }
  return files;
}

function thisProcess(): LoaderEnvironment {
  return {
    platform,
    arch,
    libc: libcOfNode(),
    variable: env['HAKO_NATIVE_DIR'] || undefined,
    resolvePackage(name) {
      try {
        return dirname(createRequire(here()).resolve(`${name}/package.json`));
      } catch {
        return undefined;
      }
    },
    buildDirectory: join(packageRoot(), 'build/native'),
  };
}

/** The addon is loaded into node, so node's own C library is the one that counts. */
function libcOfNode(): 'gnu' | 'musl' {
  if (platform !== 'linux') return 'gnu';
  // @types/node 24 does not know `excludeNetwork`. Without it the report looks up the name of every socket's peer.
  const reporter = report as typeof report & { excludeNetwork: boolean };
  const { excludeNetwork } = reporter;
  reporter.excludeNetwork = true;
  try {
    const { header } = reporter.getReport() as { header: { glibcVersionRuntime?: string } };
    return header.glibcVersionRuntime === undefined ? 'musl' : 'gnu';
  } finally {
    reporter.excludeNetwork = excludeNetwork;
  }
}

/** Where this code lies. A bundler that writes CommonJS leaves `import.meta` empty; then it is where the program lies. */
function here(): string {
  return (import.meta.url as string | undefined) ?? pathToFileURL(argv[1] ?? execPath).href;
}

// This file is src/native/loader.ts under vitest, and dist/src/native/loader.js when it was compiled.
function packageRoot(): string {
  let directory = dirname(fileURLToPath(here()));
  while (!existsSync(join(directory, 'package.json'))) {
    const parent = dirname(directory);
    if (parent === directory) return directory;
    directory = parent;
  }
  return directory;
}
