/** A built-in scenario, checked and completed by scenarios.mjs when the program is built. */
declare module '*.yaml' {
  const scenario: import('./kinds.ts').Scenario;
  export default scenario;
  /** the file as it is written */
  export const text: string;
}
