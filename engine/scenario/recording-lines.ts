/** How recordings are written: a line of JSON for each thing, without its end. */

/** Version of the format. */
export const FORMAT = 1;

/** So many events had run, and time stood there. */
export interface RecordedPlace {
  readonly events: number;
  readonly at: number;
}

/** What a recording begins with. */
export interface RecordingHead {
  readonly recording: typeof FORMAT;
  /** version of the program */
  readonly virqtop: string;
  /** a built-in one by its name, another as it is written */
  readonly scenario: string | { readonly file: string; readonly text: string };
  readonly seed: number;
}

export const recordingLine = {
  head: (head: Omit<RecordingHead, 'recording'>): string => JSON.stringify({ recording: FORMAT, ...head }),
  command: ({ events, at }: RecordedPlace, command: unknown): string =>
    JSON.stringify({ events, at, command }),
  /** Somebody went back, and did something else: so many commands stand. */
  back: ({ events, at }: RecordedPlace, done: number): string =>
    JSON.stringify({ back: { events, at, done } }),
  end: ({ events, at }: RecordedPlace): string => JSON.stringify({ end: { events, at } }),
};
