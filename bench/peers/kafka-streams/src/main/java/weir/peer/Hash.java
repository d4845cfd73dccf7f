package weir.peer;

/** Hashes of identifiers, bit for bit those of src/core/hash.ts. */
final class Hash {
  private Hash() {}

  /** 0 to 2^53-1. */
  static long hash53(String text) {
    int length = text.length();
    int a = 0x9e3779b9 ^ length;
    int b = 0x85ebca6b;
    for (int i = 0; i < length; i++) {
      int unit = text.charAt(i);
      a = Integer.rotateLeft((a ^ unit) * 0xcc9e2d51, 13);
      b = Integer.rotateLeft((b ^ unit) * 0x1b873593, 15);
    }
    int low = finalise(a ^ b * 5);
    int high = finalise(b ^ low * 3);
    return (high & 0x1fffffL) << 32 | low & 0xffffffffL;
  }

  /** 0 stands for "no identifier". */
  static int hash32(String text) {
    if (text == null) return 0;
    int hash = (int) hash53(text);
    return hash == 0 ? 1 : hash;
  }

  private static int finalise(int x) {
    int h = x;
    h = (h ^ h >>> 16) * 0x85ebca6b;
    h = (h ^ h >>> 13) * 0xc2b2ae35;
    return h ^ h >>> 16;
  }
}
