package config

import (
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written in the file as 64MiB, 512KiB, 100B or 100.
type Size int64

// The units of a Size.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
)

var sizeUnits = []struct {
	suffix string
	size   Size
}{{"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}, {"B", 1}}

// String writes the size in the largest unit that divides it, as the file takes it.
func (s Size) String() string {
	for _, unit := range sizeUnits {
		if s != 0 && s%unit.size == 0 {
			return strconv.FormatInt(int64(s/unit.size), 10) + unit.suffix
		}
	}
	return "0B"
}

// parseSize accepts a whole number with a binary unit or none. MB is refused: some read it as a million,
// some as 1048576.
func parseSize(text string) (Size, bool) {
	digits, factor := text, Size(1)
	for _, unit := range sizeUnits {
		if rest, found := strings.CutSuffix(text, unit.suffix); found {
			digits, factor = strings.TrimSpace(rest), unit.size
			break
		}
	}
	number, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || number > math.MaxInt64/int64(factor) || number < math.MinInt64/int64(factor) {
		return 0, false
	}
	return Size(number) * factor, true
}
