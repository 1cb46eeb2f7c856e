package letters

import (
	"fmt"
	"strconv"
	"strings"
)

// Place is where a record stands.
type Place struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// String is topic/partition/offset. A topic's name has no slash.
func (p Place) String() string { return fmt.Sprintf("%s/%d/%d", p.Topic, p.Partition, p.Offset) }

// ParsePlace reads topic/partition/offset, or partition/offset of the topic given. It reports false for any other text.
func ParsePlace(text, topic string) (Place, bool) {
	parts := strings.Split(text, "/")
	switch len(parts) {
	case 2:
		parts = append([]string{topic}, parts...)
	case 3:
	default:
		return Place{}, false
	}
	partition, err := strconv.ParseUint(parts[1], 10, 31)
	if err != nil {
		return Place{}, false
	}
	offset, err := strconv.ParseUint(parts[2], 10, 63)
	if err != nil || parts[0] == "" {
		return Place{}, false
	}
	return Place{Topic: parts[0], Partition: int32(partition), Offset: int64(offset)}, true
}
