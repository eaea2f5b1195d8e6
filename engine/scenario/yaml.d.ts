/** A built-in scenario, checked and completed by scenarios.mjs when the program is built. */
declare module '*.yaml' {
  const scenario: import('./schema.ts').Scenario;
  export default scenario;
}
