/**
 * Text of a container's or an image's making, safe for a terminal: what could move the cursor, colour or retitle is
 * shown as the escape that it is.
 */
export function visible(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
