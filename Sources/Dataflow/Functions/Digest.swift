internal import Columns

/// MD5 (RFC 1321), SHA-1 (RFC 3174), SHA-224 and SHA-256 (FIPS 180-4).
enum Digest {
  static func md5(_ message: UnsafeRawBufferPointer) -> [UInt8] {
    var state: [UInt32] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476]
    let shifts: [[UInt32]] = [
      [7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21],
    ]
    let padded = pad(message, bigEndian: false)
    for block in stride(from: 0, to: padded.count, by: 64) {
      let m = words(padded, block, bigEndian: false)
      var (a, b, c, d) = (state[0], state[1], state[2], state[3])
      for i in 0..<64 {
        var f: UInt32
        let g: Int
        switch i / 16 {
        case 0:
          f = (b & c) | (~b & d)
          g = i
        case 1:
          f = (d & b) | (~d & c)
          g = (5 * i + 1) % 16
        case 2:
          f = b ^ c ^ d
          g = (3 * i + 5) % 16
        default:
          f = c ^ (b | ~d)
          g = 7 * i % 16
        }
        f = f &+ a &+ sines[i] &+ m[g]
        (a, d, c) = (d, c, b)
        b = b &+ rotated(f, left: shifts[i / 16][i % 4])
      }
      state = [state[0] &+ a, state[1] &+ b, state[2] &+ c, state[3] &+ d]
    }
    return state.flatMap { word in withUnsafeBytes(of: word.littleEndian) { Array($0) } }
  }

  static func sha1(_ message: UnsafeRawBufferPointer) -> [UInt8] {
    var h: [UInt32] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0]
    let padded = pad(message, bigEndian: true)
    for block in stride(from: 0, to: padded.count, by: 64) {
      var w = words(padded, block, bigEndian: true)
      for i in 16..<80 { w.append(rotated(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], left: 1)) }
      var (a, b, c, d, e) = (h[0], h[1], h[2], h[3], h[4])
      for i in 0..<80 {
        let f: UInt32
        let k: UInt32
        switch i / 20 {
        case 0: (f, k) = ((b & c) | (~b & d), 0x5a82_7999)
        case 1: (f, k) = (b ^ c ^ d, 0x6ed9_eba1)
        case 2: (f, k) = ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc)
        default: (f, k) = (b ^ c ^ d, 0xca62_c1d6)
        }
        let next = rotated(a, left: 5) &+ f &+ e &+ k &+ w[i]
        (e, d, c, b, a) = (d, c, rotated(b, left: 30), a, next)
      }
      h = [h[0] &+ a, h[1] &+ b, h[2] &+ c, h[3] &+ d, h[4] &+ e]
    }
    return bytes(h)
  }

  static func sha256(_ message: UnsafeRawBufferPointer) -> [UInt8] {
    bytes(
      sha2(
        message,
        [
          0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c,
          0x1f83_d9ab, 0x5be0_cd19,
        ]))
  }

  static func sha224(_ message: UnsafeRawBufferPointer) -> [UInt8] {
    Array(
      bytes(
        sha2(
          message,
          [
            0xc105_9ed8, 0x367c_d507, 0x3070_dd17, 0xf70e_5939, 0xffc0_0b31, 0x6858_1511,
            0x64f9_8fa7, 0xbefa_4fa4,
          ])
      ).prefix(28))
  }

  private static func sha2(_ message: UnsafeRawBufferPointer, _ start: [UInt32]) -> [UInt32] {
    var h = start
    let padded = pad(message, bigEndian: true)
    for block in stride(from: 0, to: padded.count, by: 64) {
      var w = words(padded, block, bigEndian: true)
      for i in 16..<64 {
        let (x, y) = (w[i - 15], w[i - 2])
        let s0 = rotated(x, left: 25) ^ rotated(x, left: 14) ^ (x >> 3)
        let s1 = rotated(y, left: 15) ^ rotated(y, left: 13) ^ (y >> 10)
        w.append(w[i - 16] &+ s0 &+ w[i - 7] &+ s1)
      }
      var v = h
      for i in 0..<64 {
        let s1 = rotated(v[4], left: 26) ^ rotated(v[4], left: 21) ^ rotated(v[4], left: 7)
        let choice = (v[4] & v[5]) ^ (~v[4] & v[6])
        let t1 = v[7] &+ s1 &+ choice &+ cubeRoots[i] &+ w[i]
        let s0 = rotated(v[0], left: 30) ^ rotated(v[0], left: 19) ^ rotated(v[0], left: 10)
        let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2])
        v = [t1 &+ s0 &+ majority, v[0], v[1], v[2], v[3] &+ t1, v[4], v[5], v[6]]
      }
      for i in 0..<8 { h[i] = h[i] &+ v[i] }
    }
    return h
  }

  // MARK: - Words

  @inline(__always) private static func rotated(_ x: UInt32, left n: UInt32) -> UInt32 {
    (x << n) | (x >> (32 - n))
  }

  private static func pad(_ message: UnsafeRawBufferPointer, bigEndian: Bool) -> [UInt8] {
    var out = Array(message)
    out.append(0x80)
    while out.count % 64 != 56 { out.append(0) }
    let bits = UInt64(message.count) * 8
    withUnsafeBytes(of: bigEndian ? bits.bigEndian : bits.littleEndian) { out += Array($0) }
    return out
  }

  private static func words(_ bytes: [UInt8], _ at: Int, bigEndian: Bool) -> [UInt32] {
    bytes.withUnsafeBytes { raw in
      (0..<16).map { i in
        let word = raw.loadUnaligned(fromByteOffset: at + i * 4, as: UInt32.self)
        return bigEndian ? UInt32(bigEndian: word) : UInt32(littleEndian: word)
      }
    }
  }

  private static func bytes(_ words: [UInt32]) -> [UInt8] {
    words.flatMap { word in withUnsafeBytes(of: word.bigEndian) { Array($0) } }
  }

  static func hex(_ bytes: some Sequence<UInt8>, upper: Bool = false) -> [UInt8] {
    let digits = Array((upper ? "0123456789ABCDEF" : "0123456789abcdef").utf8)
    return bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
  }

  /// Parts of the sines of 1…64.
  private static let sines: [UInt32] = [
    0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613,
    0xfd46_9501, 0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193,
    0xa679_438e, 0x49b4_0821, 0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d,
    0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8, 0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed,
    0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a, 0xfffa_3942, 0x8771_f681, 0x6d9d_6122,
    0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70, 0x289b_7ec6, 0xeaa1_27fa,
    0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665, 0xf429_2244,
    0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
    0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb,
    0xeb86_d391,
  ]

  /// Parts of the cube roots of the first 64 primes.
  private static let cubeRoots: [UInt32] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4,
    0xab1c_5ed5, 0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe,
    0x9bdc_06a7, 0xc19b_f174, 0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f,
    0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da, 0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7,
    0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967, 0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc,
    0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85, 0xa2bf_e8a1, 0xa81a_664b,
    0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070, 0x19a4_c116,
    0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7,
    0xc671_78f2,
  ]
}
