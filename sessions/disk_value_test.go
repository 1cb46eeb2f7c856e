package sessions

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cjrelay/cjrelay/schema"
)

// unpackKey is the way back from a key, which proves that no two sessions share one.
func unpackKey(key []byte, layout Layout) string {
	rest := key[spaceSize(layout)+1:]
	if key[spaceSize(layout)] == bytesTag {
		return string(rest)
	}
	h := fmt.Sprintf("%x", rest)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

func FuzzSessionKey(f *testing.F) {
	for _, session := range append(someSessions, "", "\x00", "\x02"+uuid(1)[:16], strings.ToUpper(uuid(0xabc)), strings.Replace(uuid(1), "-", "0", 1),
		strings.Repeat("-", 36), "00000000-0000-0000-0000-00-000000000", "00000000-0000-0000-0000-00000000000-", "0123456-89abc-def0-1234-56789abcdef01") {
		f.Add(session, int32(7))
	}
	f.Fuzz(func(t *testing.T, session string, partition int32) {
		partition &= math.MaxInt32
		for _, layout := range []Layout{Global, Copartitioned} {
			key := appendSessionKey(nil, layout, partition, session)
			require.Equal(t, session, unpackKey(key, layout))
			require.Equal(t, key, appendSessionKey(nil, layout, partition, []byte(session)))
			start, end := spaceRange(layout, partition)
			require.LessOrEqual(t, string(start), string(key))
			require.Less(t, string(key), string(end))
			checkpoint := appendCheckpointKey(nil, layout, partition)
			require.Less(t, string(checkpoint), string(key), "checkpoints come first")
			found, ok := parseCheckpointKey(checkpoint, layout)
			require.True(t, ok)
			require.Equal(t, partition, found)
			_, ok = parseCheckpointKey(key, layout)
			require.False(t, ok)
		}
	})
}

func TestUsualSessionsAndClicksAreSmall(t *testing.T) {
	t.Parallel()
	require.Len(t, appendSessionKey(nil, Global, 0, uuid(1)), 18)
	require.Len(t, appendChange(nil, 12, put(at(hexID(1), 0))), 25)
}

// drawLineages makes lineages the way they are made: from records.
func drawLineages(t *rapid.T) lineages {
	var l lineages
	for range rapid.IntRange(1, 8).Draw(t, "records") {
		r := drawRecord(t, 3)
		l = l.apply(r.Partition, r.Change)
	}
	return l
}

func TestValuesRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := drawLineages(t)
		value := appendLineages(nil, l)
		decoded, err := decodeLineages(value)
		require.NoError(t, err)
		require.Equal(t, plain(l.history()), plain(decoded.history()))
		require.Equal(t, value, appendLineages(nil, decoded))
	})
}

func TestAChangeIsALineageOfOneRecord(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t, 300)
		require.Equal(t, appendLineages(nil, lineages(nil).apply(r.Partition, r.Change)), appendChange(nil, r.Partition, r.Change))
	})
}

func TestTimesAreKeptToTheMillisecond(t *testing.T) {
	t.Parallel()
	for _, when := range []time.Time{
		{}, time.Unix(0, 0), time.Unix(-1, 999_999_999), time.Date(1999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), noon.Add(1_234_567), time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC),
	} {
		l, err := decodeLineages(appendChange(nil, 0, put(schema.Click{ID: "a", CapturedAt: when})))
		require.NoError(t, err)
		require.Equal(t, time.UnixMilli(when.UnixMilli()).UTC(), l[0].clicks[0].CapturedAt)
		l, err = decodeLineages(appendChange(nil, 0, Change{Kind: Erase, At: when}))
		require.NoError(t, err)
		require.Equal(t, time.UnixMilli(when.UnixMilli()).UTC(), l[0].erasedAt)
	}
}

func TestAClickIDThatIsNoneCountsAsUnreadable(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", strings.Repeat("a", 65), "with space", "\x00"} {
		l, err := decodeLineages(appendChange(nil, 3, put(at(id, 0))))
		require.NoError(t, err)
		require.Equal(t, lineages{{partition: 3, spoiled: true}}, l)
	}
}

func TestValuesThatWereNotWrittenAreDamaged(t *testing.T) {
	t.Parallel()
	click := func(id string) []byte { return appendChange(nil, 0, put(at(id, 0)))[2:] }
	tests := map[string][]byte{
		"Empty":                    {},
		"NothingSaid":              {0, 0},
		"NumberLongerThanNeeded":   {0x80, 0, spoiledFlag},
		"PartitionBeyondInt32":     {0xff, 0xff, 0xff, 0xff, 0x0f, spoiledFlag},
		"PartitionsOutOfOrder":     {1, spoiledFlag, 0, spoiledFlag},
		"PartitionTwice":           {1, spoiledFlag, 1, spoiledFlag},
		"MoreClicksThanBytes":      {0, 9 << flagBits, 1},
		"CutInTime":                {0, erasedFlag, 0x80},
		"CutInID":                  slices.Concat([]byte{0, 1 << flagBits}, click("abcdef")[:9]),
		"CutInPackedID":            slices.Concat([]byte{0, 1 << flagBits}, click(hexID(1))[:20]),
		"BytesAfterTheEnd":         {0, spoiledFlag, 1},
		"IDOfNoLetters":            slices.Concat([]byte{0, 1 << flagBits}, bytes.Replace(click("a"), []byte("a"), []byte{'-'}, 1)),
		"IDThatShouldBePacked":     slices.Concat([]byte{0, 1 << flagBits}, click("a")[:6], []byte{32}, []byte(hexID(1))),
		"SameClickTwice":           slices.Concat([]byte{0, 2 << flagBits}, click("a"), []byte{0, 1, 'a'}),
		"TimeBeyondAll":            slices.Concat([]byte{0, erasedFlag, 0xfe}, bytes.Repeat([]byte{0xff}, 8), []byte{1}),
		"ClickBeyondAllTime":       slices.Concat([]byte{0, 2 << flagBits}, click("a"), bytes.Repeat([]byte{0xff}, 8), []byte{0x7f, 1, 'b'}),
		"ClickFurtherThanAnyInt64": slices.Concat([]byte{0, 2 << flagBits}, click("a"), bytes.Repeat([]byte{0xff}, 9), []byte{1, 1, 'b'}),
	}
	for name, value := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := decodeLineages(value)
			require.ErrorIs(t, err, ErrDamaged)
			require.True(t, pebble.IsCorruptionError(err))
		})
	}
}

func TestErrorsOfValuesShowNoID(t *testing.T) {
	t.Parallel()
	value := appendChange(nil, 0, put(at("SecretClickID", 0)))
	for cut := range value {
		_, err := decodeLineages(value[:cut])
		require.Error(t, err)
		require.NotContains(t, err.Error(), "Secret")
	}
}

func FuzzDecodeLineages(f *testing.F) {
	for i, id := range someIDs {
		f.Add(appendChange(nil, int32(i), put(at(id, time.Hour))))
	}
	f.Add(appendLineages(nil, lineages(nil).apply(1, erase).apply(1, put(at("b", -1))).apply(1, put(at("a", 0))).apply(2, spoil)))
	f.Fuzz(func(t *testing.T, value []byte) {
		l, err := decodeLineages(value)
		if err != nil {
			require.ErrorIs(t, err, ErrDamaged)
			return
		}
		require.Equal(t, value, appendLineages(nil, l), "another way to write the same")
	})
}

func FuzzDecodeCheckpoint(f *testing.F) {
	f.Add(appendCheckpoint(nil, Checkpoint{}))
	f.Add(appendCheckpoint(nil, Checkpoint{Next: math.MaxInt64, Current: noon.Add(1), Agreeing: AgreeingEnough}))
	f.Fuzz(func(t *testing.T, value []byte) {
		checkpoint, err := decodeCheckpoint(value)
		if err != nil {
			require.ErrorIs(t, err, ErrDamaged)
			return
		}
		again, err := decodeCheckpoint(appendCheckpoint(nil, checkpoint))
		require.NoError(t, err)
		require.Equal(t, checkpoint, again)
	})
}

func TestCheckpointsRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		checkpoint := Checkpoint{
			Next:     rapid.Int64Min(0).Draw(t, "next"),
			Current:  time.Unix(rapid.Int64Range(0, 1<<40).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")).UTC(),
			Agreeing: rapid.Uint8().Draw(t, "agreeing"),
		}
		if rapid.Bool().Draw(t, "zero time") {
			checkpoint.Current = time.Time{}
		}
		decoded, err := decodeCheckpoint(appendCheckpoint(nil, checkpoint))
		require.NoError(t, err)
		require.Equal(t, checkpoint, decoded)
	})
}

// TestFoldingGroupsAsItLikes is what the database relies on: it brings neighbours together in any grouping, and
// hands a lookup the newest first.
func TestFoldingGroupsAsItLikes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var whole lineages
		var values [][]byte
		for range rapid.IntRange(1, 12).Draw(t, "records") {
			r := drawRecord(t, 3)
			whole = whole.apply(r.Partition, r.Change)
			values = append(values, appendChange(nil, r.Partition, r.Change))
		}
		for len(values) > 1 {
			from := rapid.IntRange(0, len(values)-2).Draw(t, "from")
			to := rapid.IntRange(from+2, len(values)).Draw(t, "to")
			folded := mergeSome(t, values[from:to])
			values = slices.Replace(values, from, to, folded)
		}
		require.Equal(t, appendLineages(nil, whole), values[0])
	})
}

// mergeSome passes values to the merger from the oldest or from the newest.
func mergeSome(t *rapid.T, values [][]byte) []byte {
	older := rapid.Bool().Draw(t, "newest first")
	if older {
		values = slices.Clone(values)
		slices.Reverse(values)
	}
	merge, err := diskMerger.Merge(nil, slices.Clone(values[0]))
	require.NoError(t, err)
	for _, value := range values[1:] {
		passed := slices.Clone(value)
		if older {
			require.NoError(t, merge.MergeOlder(passed))
		} else {
			require.NoError(t, merge.MergeNewer(passed))
		}
		clear(passed) // it stays the caller's
	}
	result, closer, err := merge.Finish(true)
	require.NoError(t, err)
	require.Nil(t, closer)
	return result
}

func TestFoldingKeepsTheNewestClicksOfABusySession(t *testing.T) {
	t.Parallel()
	var values [][]byte
	for i := range MaxClicks + 10 {
		values = append(values, appendChange(nil, 0, put(at(id(i), -time.Duration(i)*time.Second))))
	}
	value, err := foldValues(values)
	require.NoError(t, err)
	l, err := decodeLineages(value)
	require.NoError(t, err)
	require.Len(t, l[0].clicks, MaxClicks)
	require.Equal(t, id(10), l[0].clicks[0].ID)
}

func TestFoldingRefusesDamage(t *testing.T) {
	t.Parallel()
	_, err := foldValues([][]byte{appendChange(nil, 0, spoil), {9, 9, 9}})
	require.ErrorIs(t, err, ErrDamaged)
}
