/** SIGINT ends a command that prints: the user has seen enough, which is no failure. */

function leave(): void {
  process.exit(0);
}

export function leaveOnInterrupt(): void {
  process.on('SIGINT', leave);
}

/** Takes it back, for who handles the signal better. */
export function keepOnInterrupt(): void {
  process.off('SIGINT', leave);
}
