import Columns

/// One file that came or went (Paimon `ManifestEntry`, version 2).
package struct ManifestEntry: Hashable, Sendable {
  package enum Kind: Int8, Sendable { case add = 0, delete = 1 }

  package var kind: Kind
  /// BinaryRow of the partition columns with its arity before it.
  package var partition: [UInt8]
  package var bucket: Int
  /// Buckets of the partition when the file was written; -1 when unaware or dynamic.
  package var totalBuckets: Int
  package var file: DataFile

  package init(
    _ kind: Kind, partition: [UInt8], bucket: Int, totalBuckets: Int, file: DataFile
  ) {
    self.kind = kind
    self.partition = partition
    self.bucket = bucket
    self.totalBuckets = totalBuckets
    self.file = file
  }

  package var place: BucketPlace { BucketPlace(partition: partition, bucket: bucket) }

  /// What makes two entries speak of the same file. The level is part of it: an upgraded file keeps
  /// its name.
  package var identity: Identity {
    Identity(
      place: place, level: file.level, name: file.name, extraFiles: file.extraFiles,
      embeddedIndex: file.embeddedIndex, externalPath: file.externalPath)
  }

  package struct Identity: Hashable, Sendable {
    package var place: BucketPlace
    package var level: Int
    package var name: String
    package var extraFiles: [String]
    package var embeddedIndex: [UInt8]?
    package var externalPath: String?
  }
}

/// One bucket of one partition.
package struct BucketPlace: Hashable, Sendable {
  /// BinaryRow of the partition columns with its arity before it.
  package var partition: [UInt8]
  package var bucket: Int

  package init(partition: [UInt8], bucket: Int) {
    self.partition = partition
    self.bucket = bucket
  }
}
