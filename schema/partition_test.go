package schema

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Kafka publishes these hashes in its own UtilsTest.testMurmur2.
func TestMurmur2(t *testing.T) {
	t.Parallel()

	for key, want := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		require.Equal(t, want, int32(murmur2([]byte(key))), key)
	}
}

func TestNewPartitioner(t *testing.T) {
	t.Parallel()

	t.Run("Murmur2ClearsTheSignBeforeTheRemainder", func(t *testing.T) {
		t.Parallel()
		partition, err := NewPartitioner("murmur2")
		require.NoError(t, err)
		require.Equal(t, int((int64(-973932308)&0x7fffffff)%12), partition([]byte("21"), 12))
		require.Equal(t, int(479470107%12), partition([]byte("abc"), 12))
	})

	t.Run("CRC32IsIEEEAndUnsigned", func(t *testing.T) {
		t.Parallel()
		partition, err := NewPartitioner("crc32")
		require.NoError(t, err)
		// The check value of CRC-32/ISO-HDLC, above 2^31: a signed remainder would be negative.
		require.Equal(t, int(0xcbf43926%uint32(12)), partition([]byte("123456789"), 12))
		require.Equal(t, 0, partition([]byte{}, 12))
	})

	t.Run("EveryPartitionIsInRange", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{PartitionerMurmur2, PartitionerCRC32} {
			partition, err := NewPartitioner(name)
			require.NoError(t, err)
			seen := map[int]bool{}
			for i := range 1000 {
				p := partition([]byte{byte(i), byte(i >> 8), 's'}, 7)
				require.GreaterOrEqual(t, p, 0)
				require.Less(t, p, 7)
				seen[p] = true
			}
			require.Len(t, seen, 7)
		}
	})

	t.Run("AnUnknownNameListsTheKnownOnes", func(t *testing.T) {
		t.Parallel()
		_, err := NewPartitioner("fnv1a")
		require.EqualError(t, err, `partitioner "fnv1a": must be "murmur2" (Java, franz-go) or "crc32" (librdkafka)`)
	})
}
