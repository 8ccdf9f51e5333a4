// What every program prints: one line of JSON for each step.
export function say(step: string, seen: Record<string, unknown>): void {
  console.log(JSON.stringify({ step, ...seen }));
}
