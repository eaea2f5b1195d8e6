/** Seconds as the fields of a calendar clock, and when an alarm's pattern matches next. */

/** A date and time; `weekday` 1 is Sunday. */
export interface ClockFields {
  second: number;
  minute: number;
  hour: number;
  weekday: number;
  day: number;
  month: number;
  year: number;
}

export const DAY = 86_400;

/** Days since 1970 of a date of the Gregorian calendar. */
function daysOf(year: number, month: number, day: number): number {
  // years begin in March, so that the leap day is their last
  const y = month <= 2 ? year - 1 : year;
  const m = (month + 9) % 12;
  const leaps = Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400);
  return y * 365 + leaps + Math.floor((m * 306 + 5) / 10) + (day - 1) - 719_468;
}

export function secondsOf(f: ClockFields): number {
  return daysOf(f.year, f.month, f.day) * DAY + f.hour * 3600 + f.minute * 60 + f.second;
}

export function fieldsOf(seconds: number): ClockFields {
  const days = Math.floor(seconds / DAY);
  const inDay = seconds - days * DAY;
  let year = 1970 + Math.floor(days / 366);
  while (daysOf(year + 1, 1, 1) <= days) year++;
  let month = 1;
  while (month < 12 && daysOf(year, month + 1, 1) <= days) month++;
  return {
    second: inDay % 60,
    minute: Math.floor(inDay / 60) % 60,
    hour: Math.floor(inDay / 3600),
    // 1 January 1970 was a Thursday
    weekday: ((days + 4) % 7) + 1,
    day: days - daysOf(year, month, 1) + 1,
    month,
    year,
  };
}

/** Hour, minute and second of an alarm; undefined matches any. */
export interface AlarmTime {
  readonly hour: number | undefined;
  readonly minute: number | undefined;
  readonly second: number | undefined;
}

/** The first second after `seconds` that the alarm matches; undefined if none of a day does. */
export function nextAlarm(seconds: number, alarm: AlarmTime): number | undefined {
  for (let t = seconds + 1; t <= seconds + DAY; ) {
    const inDay = t % DAY;
    if (alarm.hour !== undefined && Math.floor(inDay / 3600) !== alarm.hour) t += 3600 - (inDay % 3600);
    else if (alarm.minute !== undefined && Math.floor(inDay / 60) % 60 !== alarm.minute)
      t += 60 - (inDay % 60);
    else if (alarm.second !== undefined && inDay % 60 !== alarm.second) t++;
    else return t;
  }
  return undefined;
}
