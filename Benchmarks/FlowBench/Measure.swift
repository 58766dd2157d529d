import Glibc

/// Seconds of a monotonic clock.
func seconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// The most memory this process has had resident, in MiB.
func peakMB() -> Double {
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  return Double(usage.ru_maxrss) / 1024
}

/// One figure: name, seconds, rows, peak memory.
func emit(_ name: String, _ took: Double, rows: Int) {
  let text = String(Int(took * 1_000_000))
  let micros = String(repeating: "0", count: max(0, 7 - text.count)) + text
  let point = micros.index(micros.endIndex, offsetBy: -6)
  print("\(name)\t\(micros[..<point]).\(micros[point...])\t\(rows)\t\(Int(peakMB()))")
}
