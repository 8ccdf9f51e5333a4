// Where trainings, roles and what lies behind them have their pages.

export function runAddress(runId: string): string {
  return `/runs/${encodeURIComponent(runId)}`;
}

export function releaseAddress(role: string): string {
  return `/releases/${role.split("/").map(encodeURIComponent).join("/")}`;
}
