const pieceBytes = 256 * 1024

/**
 * Buffers cut from one piece of memory after the other: memory of its own for each would cost more than to fill it. For
 * what soon goes again, since whoever keeps one keeps the whole piece.
 */
export class BufferPool {
  #piece = Buffer.alloc(0)
  #at = 0

  /** @returns a buffer of that length, with anything in it. */
  take(length: number): Buffer {
    if (length > this.#piece.length - this.#at) {
      this.#piece = Buffer.allocUnsafeSlow(Math.max(pieceBytes, length))
      this.#at = 0
    }
    const from = this.#at
    this.#at += length
    return this.#piece.subarray(from, this.#at)
  }
}
