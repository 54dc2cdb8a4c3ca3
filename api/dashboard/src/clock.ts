// The server's clock: ages must be true on a desk whose own clock is wrong.

let offsetMs = 0;

/** Learn the server's time from an answer it just gave. */
export function learnServerTime(generated: string): void {
  const ms = Date.parse(generated);
  if (Number.isFinite(ms)) offsetMs = ms - Date.now();
}

/** Unix milliseconds by the server's clock. */
export const nowMs = (): number => Date.now() + offsetMs;

/** Seconds since a time, never below 0; null when there is no such time. */
export function ageS(time: string | null | undefined): number | null {
  if (!time) return null;
  const ms = Date.parse(time);
  return Number.isFinite(ms) ? Math.max(0, (nowMs() - ms) / 1000) : null;
}
