const htmlAndSeparators = /[<>&\u2028\u2029]/g;

/**
 * A flat object as Go's encoding/json writes it: keys sorted by their bytes, and `<`, `>`, `&`, U+2028 and U+2029
 * escaped. What hako writes where Docker would have written it has to be the same text.
 */
export function goJson(object: Readonly<Record<string, string>>): string {
  const keys = Object.keys(object).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return `{${keys.map((key) => `${goString(key)}:${goString(object[key] ?? '')}`).join(',')}}`;
}

function goString(text: string): string {
  return JSON.stringify(text.toWellFormed()).replace(
    htmlAndSeparators,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
