package consumer

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"strings"
)

// The text that travels with a committed offset says which offsets above it are done already, so that the
// partition's next owner does not send those orders again:
//
//	cj1. base64( crc32c, committed offset, gap, length, gap, length, … )
//
// The checksum covers the topic's id too, the numbers are varints, a gap counts from the end of the span
// before it and the first one from the committed offset. A reader that does not know the version, or finds
// anything odd, ignores the text: orders sent twice are CJ's to de-duplicate, an order skipped is lost.
const (
	metadataVersion = "cj1."
	// metadataLimit is Kafka's default for offset.metadata.max.bytes, in bytes.
	metadataLimit = 4096
	// metadataSpan bounds the offsets that one text may reach over the committed one. It is far above what a
	// process holds in memory, and what goes beyond it is not ours.
	metadataSpan = 10_000_000
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encodeMetadata writes the spans done above a committed offset, in up to limit bytes. Spans that do not fit any more are
// left out from the top: their orders would be sent once more after a crash. It is empty where none fits.
func encodeMetadata(topic [16]byte, committed int64, done spans, limit int) string {
	room := base64.RawURLEncoding.DecodedLen(max(limit-len(metadataVersion), 0)) - crc32.Size
	body := binary.AppendUvarint(nil, uint64(committed))
	at, none := committed, len(body)
	for _, one := range done {
		longer := binary.AppendUvarint(body, uint64(one.from-at))
		longer = binary.AppendUvarint(longer, uint64(one.to-one.from))
		if len(longer) > room || one.to-committed > metadataSpan {
			break
		}
		body, at = longer, one.to
	}
	if len(body) == none {
		return ""
	}
	return metadataVersion + base64.RawURLEncoding.EncodeToString(append(checksum(topic, body), body...))
}

func checksum(topic [16]byte, body []byte) []byte {
	sum := crc32.Update(crc32.Checksum(topic[:], castagnoli), castagnoli, body)
	return binary.BigEndian.AppendUint32(nil, sum)
}

// Why a metadata text is ignored.
var (
	errForeignMetadata = errors.New("it was written by another program or another version of cjrelay")
	errBrokenMetadata  = errors.New("it is damaged, or belongs to another topic or offset")
)

// decodeMetadata reads what encodeMetadata wrote for the same topic and committed offset. A text that is
// empty, as any offset committed by Kafka's own tools has, is no error and says nothing.
func decodeMetadata(topic [16]byte, committed int64, text string) (spans, error) {
	if text == "" {
		return nil, nil
	}
	encoded, ours := strings.CutPrefix(text, metadataVersion)
	if !ours {
		return nil, errForeignMetadata
	}
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || len(raw) < crc32.Size || string(checksum(topic, raw[crc32.Size:])) != string(raw[:crc32.Size]) {
		return nil, errBrokenMetadata
	}
	body := raw[crc32.Size:]
	number := func() int64 {
		value, n := binary.Uvarint(body)
		if n <= 0 || value > math.MaxInt64 {
			body = nil
			return -1
		}
		body = body[n:]
		return int64(value)
	}
	if number() != committed {
		return nil, errBrokenMetadata
	}
	var done spans
	for at := committed; len(body) > 0; {
		gap, length := number(), number()
		if gap < 0 || length < 1 || gap > metadataSpan || length > metadataSpan || at+gap+length-committed > metadataSpan {
			return nil, errBrokenMetadata
		}
		done = append(done, span{at + gap, at + gap + length})
		at += gap + length
	}
	return done, nil
}
