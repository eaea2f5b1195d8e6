/** The YAML package, for who imports it only when there is something to parse. */
export { parseDocument, stringify } from 'yaml';
