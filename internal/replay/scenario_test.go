package replay

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestScenarioBegins(t *testing.T) {
	t.Parallel()
	in := log{start: 10, end: 100, at: 40, committed: 60}
	file, err := FromFile(strings.NewReader("\"orders\",0,50\norders, 1, 7\n\n"), "orders")
	require.NoError(t, err)
	for name, test := range map[string]struct {
		scenario  Scenario
		partition int32
		want      int64
	}{
		"Earliest":         {ToEarliest(), 0, 10},
		"Datetime":         {ToDatetime(time.Now()), 0, 40},
		"Offset":           {ToOffset(50), 0, 50},
		"OffsetBefore":     {ToOffset(0), 0, 10},
		"OffsetBehind":     {ToOffset(1000), 0, 100},
		"ShiftBack":        {ShiftBy(-20), 0, 40},
		"ShiftBackTooFar":  {ShiftBy(-1000), 0, 10},
		"ShiftForthTooFar": {ShiftBy(1000), 0, 100},
		"File":             {file, 0, 50},
		"FileBefore":       {file, 1, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, has, err := test.scenario.begin(test.partition, in)
			require.NoError(t, err)
			require.True(t, has)
			require.Equal(t, test.want, at)
		})
	}
	_, has, err := file.begin(2, in)
	require.NoError(t, err)
	require.False(t, has)
	_, _, err = ShiftBy(-1).begin(3, log{end: 10, committed: -1})
	require.ErrorContains(t, err, "no offset for partition 3")
}

func TestFromFileRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                         "it has no line",
		"orders,0":                 "line 1: must be topic,partition,offset",
		"orders,0,1\nother,0,1":    `line 2: topic "other" is not orders.topic, which is orders`,
		"orders,-1,1":              `"-1" is not a partition`,
		"orders,0,x":               `"x" is not an offset`,
		"TOPIC,PARTITION,OFFSET\n": `"PARTITION" is not a partition`,
	} {
		_, err := FromFile(strings.NewReader(text), "orders")
		require.ErrorContains(t, err, want, text)
	}
}
