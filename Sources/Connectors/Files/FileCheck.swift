import Columns
import Formats
import Store

/// Whether a file is still the one that was read.
enum FileCheck {
  /// Nil, or what has become of it.
  static func problem(
    _ source: any ByteSource, _ status: FileStatus, _ state: FileState, _ format: RecordFormat
  ) throws(TerraceError) -> String? {
    if state.headLength > source.byteCount { return "shrank" }
    if state.size > source.byteCount, state.offset > 0 { return "shrank" }
    if state.headLength > 0 {
      let head = try source.read(at: 0, count: state.headLength)
      let hash = withExtendedLifetime(head) { FileState.hash(head.bytes) }
      if hash != state.headHash { return "was replaced by another file" }
    }
    // Packed files have no tail: places in them are those of what they hold.
    if state.tailLength > 0 {
      if state.offset > source.byteCount { return "shrank" }
      let from = state.offset - state.tailLength
      if from < 0 { return "was replaced by another file" }
      let tail = try source.read(at: from, count: state.tailLength)
      let hash = withExtendedLifetime(tail) { FileState.hash(tail.bytes) }
      if hash != state.tailHash { return "was replaced by another file" }
    }
    if format.isContainer, state.size >= 0, state.offset > 0 {
      return "changed after it was read: such a file does not grow"
    }
    return nil
  }

  /// Keeps what the file is known by.
  static func recognise(
    _ source: any ByteSource, _ status: FileStatus, _ state: inout FileState
  ) throws(TerraceError) {
    state.inode = status.inode
    let length = min(source.byteCount, FileState.headBytes)
    if length <= state.headLength { return }
    let head = try source.read(at: 0, count: length)
    state.headHash = withExtendedLifetime(head) { FileState.hash(head.bytes) }
    state.headLength = length
  }
}
