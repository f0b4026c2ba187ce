package hookwatch.streams;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.regex.Pattern;

/** Epoch milliseconds. */
final class Times {
  static final long MINUTE_MS = 60_000;
  static final long HOUR_MS = 60 * MINUTE_MS;
  static final long DAY_MS = 24 * HOUR_MS;

  /** Only instants that name their zone. */
  private static final Pattern INSTANT =
      Pattern.compile("\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,9})?(Z|[+-]\\d{2}:\\d{2})");

  /** An instant as text, or null for what is none. */
  static Long parse(String text) {
    if (text == null) return null;
    if (text.length() == 20 && text.charAt(19) == 'Z') return parseWholeSeconds(text);
    return parseWithCare(text);
  }

  private static Long parseWithCare(String text) {
    if (!INSTANT.matcher(text).matches()) return null;
    try {
      return OffsetDateTime.parse(text).toInstant().toEpochMilli();
    } catch (DateTimeException error) {
      return null;
    }
  }

  /** `2014-06-18T18:28:54Z`, as nearly all are written: java.time takes ten times as long for it. */
  private static Long parseWholeSeconds(String text) {
    for (int index = 0; index < 19; index++) {
      char expected = "dddd-dd-ddTdd:dd:dd".charAt(index);
      char found = text.charAt(index);
      if (expected == 'd' ? found < '0' || found > '9' : found != expected) return null;
    }
    int month = number(text, 5, 7);
    int day = number(text, 8, 10);
    int hour = number(text, 11, 13);
    int minute = number(text, 14, 16);
    int second = number(text, 17, 19);
    if (month < 1 || month > 12 || day < 1 || day > 28 || hour > 23 || minute > 59 || second > 59) return parseWithCare(text);
    return daysOf(number(text, 0, 4), month, day) * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS + second * 1_000L;
  }

  private static int number(String text, int from, int to) {
    int number = 0;
    for (int index = from; index < to; index++) number = number * 10 + text.charAt(index) - '0';
    return number;
  }

  /** Days since 1970 in the Gregorian calendar, with years that begin in March. */
  private static long daysOf(int year, int month, int day) {
    long y = month <= 2 ? year - 1 : year;
    long era = Math.floorDiv(y, 400);
    long yearOfEra = y - era * 400;
    long dayOfYear = (153L * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468;
  }

  /** `2014-06-18T18:28:54.000Z`. */
  static String format(long time) {
    var instant = OffsetDateTime.ofInstant(Instant.ofEpochMilli(time), ZoneOffset.UTC);
    var text = new StringBuilder(24);
    digits(text, instant.getYear(), 1_000);
    digits(text.append('-'), instant.getMonthValue(), 10);
    digits(text.append('-'), instant.getDayOfMonth(), 10);
    digits(text.append('T'), instant.getHour(), 10);
    digits(text.append(':'), instant.getMinute(), 10);
    digits(text.append(':'), instant.getSecond(), 10);
    digits(text.append('.'), instant.getNano() / 1_000_000, 100);
    return text.append('Z').toString();
  }

  private static void digits(StringBuilder text, int number, int highest) {
    for (int place = highest; place > 0; place /= 10) text.append((char) ('0' + number / place % 10));
  }

  private Times() {}
}
