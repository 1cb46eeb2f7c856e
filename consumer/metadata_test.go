package consumer

import (
	"encoding/base64"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var someTopic = [16]byte{1, 2, 3}

// someSpans draws spans above an offset.
func someSpans(t *rapid.T, above int64) spans {
	var done spans
	at := above
	for range rapid.IntRange(1, 40).Draw(t, "spans") {
		from := at + rapid.Int64Range(1, 300).Draw(t, "gap")
		at = from + rapid.Int64Range(1, 300).Draw(t, "length")
		done = append(done, span{from, at})
	}
	return done
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	t.Run("ReadsBackWhatWasWritten", rapid.MakeCheck(func(t *rapid.T) {
		committed := rapid.Int64Range(0, 1<<40).Draw(t, "committed")
		done := someSpans(t, committed)
		text := encodeMetadata(someTopic, committed, done, metadataLimit)
		require.LessOrEqual(t, len(text), metadataLimit)
		read, err := decodeMetadata(someTopic, committed, text)
		require.NoError(t, err)
		require.Equal(t, done, read)
	}))
	t.Run("NothingDoneIsNoText", func(t *testing.T) {
		require.Empty(t, encodeMetadata(someTopic, 5, nil, metadataLimit))
		read, err := decodeMetadata(someTopic, 5, "")
		require.NoError(t, err)
		require.Empty(t, read)
	})
	t.Run("LeavesOutFromTheTopWhatDoesNotFit", func(t *testing.T) {
		var done spans
		for offset := int64(2); offset < 40_000; offset += 2 {
			done = append(done, span{offset, offset + 1})
		}
		text := encodeMetadata(someTopic, 1, done, metadataLimit)
		require.LessOrEqual(t, len(text), metadataLimit)
		require.Greater(t, len(text), metadataLimit-8, "it uses the room there is")
		read, err := decodeMetadata(someTopic, 1, text)
		require.NoError(t, err)
		require.Equal(t, done[:len(read)], read)
		require.Greater(t, len(read), 1000)
	})
	t.Run("FitsIntoAnyLimit", rapid.MakeCheck(func(t *rapid.T) {
		limit := rapid.IntRange(0, 200).Draw(t, "limit")
		done := someSpans(t, 77)
		text := encodeMetadata(someTopic, 77, done, limit)
		require.LessOrEqual(t, len(text), limit)
		read, err := decodeMetadata(someTopic, 77, text)
		require.NoError(t, err)
		require.Equal(t, done[:len(read)], append(spans{}, read...))
	}))
	t.Run("AnyChangedCharacterIsNoticed", rapid.MakeCheck(func(t *rapid.T) {
		text := []byte(encodeMetadata(someTopic, 77, someSpans(t, 77), metadataLimit))
		at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		other := rapid.Byte().Filter(func(b byte) bool { return b != text[at] }).Draw(t, "other")
		text[at] = other
		read, err := decodeMetadata(someTopic, 77, string(text))
		if err == nil {
			// The last character of base64 has bits that mean nothing.
			require.Equal(t, len(text)-1, at)
			require.NotEmpty(t, read)
		}
	}))
	whole := encodeMetadata(someTopic, 10, spans{{12, 15}, {20, 21}}, metadataLimit)
	for name, bad := range map[string]struct {
		topic     [16]byte
		committed int64
		text      string
		err       error
	}{
		"AnotherTopic":         {[16]byte{9}, 10, whole, errBrokenMetadata},
		"AnotherOffset":        {someTopic, 11, whole, errBrokenMetadata},
		"CutOff":               {someTopic, 10, whole[:len(whole)-3], errBrokenMetadata},
		"Longer":               {someTopic, 10, whole + "AAAA", errBrokenMetadata},
		"OnlyTheVersion":       {someTopic, 10, metadataVersion, errBrokenMetadata},
		"NewerVersion":         {someTopic, 10, "cj2." + whole[4:], errForeignMetadata},
		"AMemberID":            {someTopic, 10, "cjrelay-4f6c2f3a-95d5-4a0c-8d0c-0d8f9e3b9a11", errForeignMetadata},
		"AnotherProgramsState": {someTopic, 10, "bAgAAAAAAAAAAAAA", errForeignMetadata},
		"AnEmptySpan":          {someTopic, 10, text(10, 1, 0), errBrokenMetadata},
		"AnImplausibleLength":  {someTopic, 10, text(10, 1, metadataSpan), errBrokenMetadata},
		"AnImplausibleGap":     {someTopic, 10, text(10, 1<<62, 1), errBrokenMetadata},
		"AGapWithoutALength":   {someTopic, 10, text(10, 4), errBrokenMetadata},
	} {
		t.Run("Ignores"+name, func(t *testing.T) {
			read, err := decodeMetadata(bad.topic, bad.committed, bad.text)
			require.ErrorIs(t, err, bad.err)
			require.Empty(t, read)
		})
	}
}

// text is a metadata text with a right checksum over any numbers.
func text(numbers ...uint64) string {
	var body []byte
	for _, n := range numbers {
		for ; n >= 0x80; n >>= 7 {
			body = append(body, byte(n)|0x80)
		}
		body = append(body, byte(n))
	}
	return metadataVersion + base64.RawURLEncoding.EncodeToString(append(checksum(someTopic, body), body...))
}

func FuzzDecodeMetadata(f *testing.F) {
	f.Add(int64(10), encodeMetadata(someTopic, 10, spans{{12, 15}}, metadataLimit))
	f.Add(int64(10), text(10, 1, 1, 0, 5))
	f.Fuzz(func(t *testing.T, committed int64, text string) {
		done, err := decodeMetadata(someTopic, committed, text)
		if err != nil {
			require.Empty(t, done)
		}
		at := committed
		for _, one := range done {
			require.GreaterOrEqual(t, one.from, at)
			require.Greater(t, one.to, one.from)
			at = one.to
		}
	})
}

// A tracker that takes over from another one completes what that one had done, and nothing else.
func TestTrackerTakesOver(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		offsets := rapid.SliceOfNDistinct(rapid.Int64Range(0, 200), 1, 80, rapid.ID).Draw(t, "offsets")
		slices.Sort(offsets)
		done := map[int64]bool{}
		first := newTracker()
		for _, offset := range offsets {
			first.admit(offset)
		}
		for _, offset := range offsets {
			if rapid.Bool().Draw(t, "done") {
				first.complete(offset)
				done[offset] = true
			}
		}
		committed := first.watermark()
		read, err := decodeMetadata(someTopic, committed, encodeMetadata(someTopic, committed, first.above(), metadataLimit))
		require.NoError(t, err)

		second := newTracker()
		second.restore(read)
		// What it knows must not be lost by a commit before everything was read again.
		stop := rapid.IntRange(0, len(offsets)).Draw(t, "read before the next owner")
		for i, offset := range offsets {
			if offset < committed || i >= stop {
				continue
			}
			require.True(t, second.admit(offset))
			require.Equal(t, done[offset], second.isDone(offset), "offset %d", offset)
			if done[offset] {
				second.complete(offset)
			}
		}
		if second.watermark() < 0 {
			return
		}
		third := newTracker()
		third.restore(second.above())
		for _, offset := range offsets {
			if offset >= second.watermark() {
				require.True(t, third.admit(offset))
				require.Equal(t, done[offset], third.isDone(offset), "offset %d after two handovers", offset)
			}
		}
	})
}
