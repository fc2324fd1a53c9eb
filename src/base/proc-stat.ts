/**
 * Reads the fields of proc_pid_stat(5) by their numbers there, from 3 on. The command's name before them, in
 * parentheses, may hold spaces and parentheses itself: they are counted from the last one.
 */
export function statFields(stat: string): (number: number) => string | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (number) => fields[number - 3];
}
