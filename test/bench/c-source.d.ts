/** C sources are bundled as text. */
declare module '*.c' {
  const text: string;
  export default text;
}
