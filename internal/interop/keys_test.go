//go:build kafka

package interop_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// runes are of one to four bytes in UTF-8. None is the separator or the end of a line.
var runes = []rune("azAZ09-_.:/ äßéñøłşžЖйքאش中帽子日本語한국어€…–\u0301🎩🛒𝔘😀")

// keys are 1,200 different keys, the same in every run: what shops use as session ids, and what could trip a
// hash up. Both hashes treat a key's last bytes apart, and Java's bytes have a sign.
func keys(t *testing.T) []string {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	some := func(from []rune, count int) string {
		var text strings.Builder
		for range count {
			text.WriteRune(from[random.IntN(len(from))])
		}
		return text.String()
	}
	seen := map[string]bool{}
	for len(seen) < 1200 {
		switch len(seen) % 5 {
		case 0:
			a, b := random.Uint64(), random.Uint64()
			seen[fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, 0x8000|b>>48&0x3fff, b&(1<<48-1))] = true
		case 1:
			seen["s-"+some(runes[:12], 1+random.IntN(6))] = true
		case 2:
			seen[some(runes[:12], 64+random.IntN(1000))] = true
		default:
			seen[some(runes, 1+random.IntN(40))] = true
		}
	}
	keys, tails := slices.Sorted(maps.Keys(seen)), [4]int{}
	for _, key := range keys {
		tails[len(key)%4]++
	}
	for tail, count := range tails {
		require.Greater(t, count, 100, "keys with %d bytes more than a multiple of four", tail)
	}
	return keys
}
