package capture

import (
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sum corrects a frame's checksum, as a version of ours would that wrote such frames.
func sum(frame []byte) []byte {
	binary.BigEndian.PutUint32(frame[4:], crc32.Checksum(frame[frameHeader:], castagnoli))
	return frame
}

// The checksum says that a frame is as it was written, and not that it may be believed.
func TestFrameThatNoEdgeWritesIsRefused(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("s", maxSession)
	for name, test := range map[string]struct {
		frame []byte
		ok    bool
	}{
		"Put":              {nth(1).frame(), true},
		"Longest":          {record{put, longest, strings.Repeat("a", 64), nth(1).at}.frame(), true},
		"Erasure":          {record{erasure, "s-1", "", nth(1).at}.frame(), true},
		"ErasureWithClick": {record{erasure, "s-1", clickA, nth(1).at}.frame(), false},
		"UnknownKind":      {record{3, "s-1", clickA, nth(1).at}.frame(), false},
		"NoSession":        {record{put, "", clickA, nth(1).at}.frame(), false},
		"IllegalSession":   {record{put, "a b", clickA, nth(1).at}.frame(), false},
		"LongSession":      {record{put, longest + "s", clickA, nth(1).at}.frame(), false},
		"NoClick":          {record{put, "s-1", "", nth(1).at}.frame(), false},
		"IllegalClick":     {record{put, "s-1", "a-b", nth(1).at}.frame(), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, ok := parseFrame(test.frame)
			require.Equal(t, test.ok, ok)
		})
	}
	beyond := nth(1).frame()
	binary.BigEndian.PutUint16(beyond[frameHeader+9:], uint16(len(beyond)))
	_, ok := parseFrame(sum(beyond))
	require.False(t, ok, "a session that ends behind the frame")
}

func TestFrameHasASizeThatARecordCanHave(t *testing.T) {
	t.Parallel()
	data := make([]byte, frameHeader+2*maxRecord)
	for size, want := range map[int]int{
		0: 0, recordFixed - 1: 0, recordFixed: frameHeader + recordFixed, maxRecord: frameHeader + maxRecord, maxRecord + 1: 0,
	} {
		binary.BigEndian.PutUint32(data, uint32(size))
		require.Equal(t, want, frameSize(data), size)
	}
	binary.BigEndian.PutUint32(data, recordFixed)
	require.Zero(t, frameSize(data[:frameHeader+recordFixed-1]), "it is not all there")
	require.Zero(t, frameSize(data[:frameHeader-1]))
}
