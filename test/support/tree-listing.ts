import { execFileSync } from 'node:child_process';

/** Every file below a directory with its kind, mode, ids, size, time, device, target, number of names and content's digest; and extended attributes. */
export function treeListing(root: string): string[] {
  const script = `
    find . -printf '%P|%y|%m|%U:%G|%T@|%l|%n\\n' | sed 's/0000000000$//'
    find . -type f -exec sha256sum {} + ; find . -type f -printf '%P size %s\\n'; find . \\( -type c -o -type b \\) -exec stat -c '%n %t:%T' {} +
    getfattr -R -d -h -m - -e hex . 2>/dev/null | grep -v '^$' || true`;
  return execFileSync('sh', ['-c', script], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    env: { ...process.env, LC_ALL: 'C' },
  })
    .split('\n')
    .sort();
}
