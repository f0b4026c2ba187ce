package hookwatch.streams;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** Ids and versions of outputs. */
final class Ids {
  private static final HexFormat HEX = HexFormat.of();
  private static final long EPOCH = 1;

  private final MessageDigest sha256;

  Ids() {
    try {
      sha256 = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException error) {
      throw new IllegalStateException(error);
    }
  }

  /** When the first delivery behind it was received, then a hash of what it is and of that delivery. */
  String of(long receivedAt, String... parts) {
    return HEX.toHexDigits(receivedAt, 12) + '-' + hash(String.join("\n", parts), 10);
  }

  /** The first bytes of a SHA-256 as hex. */
  String hash(String text, int bytes) {
    return HEX.formatHex(sha256.digest(text.getBytes(StandardCharsets.UTF_8)), 0, bytes);
  }

  static long version(long revision) {
    return (EPOCH << 32) + revision;
  }
}
