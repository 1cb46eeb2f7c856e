package schema

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Partitioner returns the partition, from 0 to partitions-1, that a producer chooses for a record with this
// key. partitions must be positive. A key is never nil here: producers spread records without a key.
type Partitioner func(key []byte, partitions int) int

// The names of the partitioners.
const (
	// PartitionerMurmur2 is what Kafka's Java client and franz-go choose by default, and librdkafka with
	// partitioner=murmur2 or murmur2_random.
	PartitionerMurmur2 = "murmur2"
	// PartitionerCRC32 is what librdkafka chooses by default (consistent_random), so most clients in C, Python,
	// .NET and PHP.
	PartitionerCRC32 = "crc32"
)

// NewPartitioner returns the partitioner of that name. An unknown name is an error that lists the known ones.
func NewPartitioner(name string) (Partitioner, error) {
	switch name {
	case PartitionerMurmur2:
		return partitionMurmur2, nil
	case PartitionerCRC32:
		return partitionCRC32, nil
	}
	return nil, fmt.Errorf("partitioner %s: must be %q (Java, franz-go) or %q (librdkafka)",
		Quoted(name), PartitionerMurmur2, PartitionerCRC32)
}

func partitionMurmur2(key []byte, partitions int) int {
	// Java has no unsigned numbers: its client clears the sign bit before the remainder.
	return int(murmur2(key)&0x7fffffff) % partitions
}

func partitionCRC32(key []byte, partitions int) int {
	return int(crc32.ChecksumIEEE(key) % uint32(partitions))
}

// murmur2 is the 32-bit MurmurHash2 with the seed of Kafka's org.apache.kafka.common.utils.Utils.murmur2.
func murmur2(key []byte) uint32 {
	const (
		seed  = 0x9747b28c
		mix   = 0x5bd1e995
		shift = 24
	)
	hash := uint32(seed) ^ uint32(len(key))
	for len(key) >= 4 {
		k := binary.LittleEndian.Uint32(key) * mix
		k ^= k >> shift
		hash = hash*mix ^ k*mix
		key = key[4:]
	}
	switch len(key) {
	case 3:
		hash ^= uint32(key[2]) << 16
		fallthrough
	case 2:
		hash ^= uint32(key[1]) << 8
		fallthrough
	case 1:
		hash = (hash ^ uint32(key[0])) * mix
	}
	hash ^= hash >> 13
	hash *= mix
	return hash ^ hash>>15
}
