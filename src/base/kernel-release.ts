/** Whether a kernel's release, as uname(2) gives it (`6.1.0-13-amd64`), is of a version or newer (`6.8`). */
export function kernelIsAtLeast(release: string, minimum: string): boolean {
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  const [leastMajor = 0, leastMinor = 0] = minimum.split('.').map(Number);
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}
