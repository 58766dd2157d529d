internal import CSystem
internal import Columns
internal import Glibc

/// Settings of the whole process for much memory that comes and goes.
package enum ProcessMemory {
  /// Large buffers in huge pages, and freed memory kept for the next epoch instead of being given back
  /// and cleared anew. Takes effect once, before the first large state; later calls do nothing.
  package static func tune() { _ = done }

  /// Keeps less of what was freed where the process is to hold little: what is kept counts as held.
  ///
  /// - Parameter bytes: what the process is to hold at most; from a gigabyte on nothing changes.
  package static func fit(_ bytes: Int) {
    tune()
    if bytes >= 1 << 30 { return }
    t_keep_memory(
      Int32(max(1 << 20, bytes / 64)), Int32(max(1 << 20, bytes / 16)), Int32(1 << 20))
  }

  private static let done: Void = {
    t_keep_memory(32 << 20, 256 << 20, 16 << 20)
    LargeBuffers.advise = { base, byteCount in
      // Refused where the kernel has no huge pages: nothing is lost then.
      _ = madvise(base, byteCount, MADV_HUGEPAGE)
    }
  }()
}
