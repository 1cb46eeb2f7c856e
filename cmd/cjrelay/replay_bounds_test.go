package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/replay"
)

func TestReplayFlagsMeanWhatKafkasDo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)
	csv := filepath.Join(t.TempDir(), "offsets.csv")
	require.NoError(t, os.WriteFile(csv, []byte("orders,1,7\n"), 0o600))
	file, err := replay.FromFile(strings.NewReader("orders,1,7"), "orders")
	require.NoError(t, err)
	offset, end, back := int64(7), int64(0), shift(-5)
	from := func(s replay.Scenario) replay.Bounds { return replay.Bounds{Scenario: s, UntilOffset: -1} }
	for name, test := range map[string]struct {
		flags replayCmd
		want  replay.Bounds
	}{
		"ToEarliest":    {replayCmd{ToEarliest: true}, from(replay.ToEarliest())},
		"ToDatetime":    {replayCmd{ToDatetime: "2026-03-27T13:00:00.000+02:00"}, from(replay.ToDatetime(now.Add(-time.Hour)))},
		"ByDuration":    {replayCmd{ByDuration: "P1DT1H"}, from(replay.ToDatetime(now.Add(-25 * time.Hour)))},
		"ToOffset":      {replayCmd{ToOffset: &offset}, from(replay.ToOffset(7))},
		"ShiftBy":       {replayCmd{ShiftBy: &back}, from(replay.ShiftBy(-5))},
		"FromFile":      {replayCmd{FromFile: csv}, from(file)},
		"Resume":        {replayCmd{Resume: "night"}, from(replay.Scenario{})},
		"Misses":        {replayCmd{Unattributed: true}, from(replay.ToDatetime(now.Add(-7 * 24 * time.Hour)))},
		"MissesOfADay":  {replayCmd{Unattributed: true, ByDuration: "1d"}, from(replay.ToDatetime(now.Add(-24 * time.Hour)))},
		"UntilDatetime": {replayCmd{ToEarliest: true, UntilDatetime: "2026-03-27T12:00:00"}, replay.Bounds{Scenario: replay.ToEarliest(), UntilTime: now, UntilOffset: -1}},
		"UntilOffset":   {replayCmd{ToEarliest: true, UntilOffset: &end}, replay.Bounds{Scenario: replay.ToEarliest(), UntilOffset: 0}},
		"Partitions": {replayCmd{ToEarliest: true, Partitions: []int32{2, 0}},
			replay.Bounds{Scenario: replay.ToEarliest(), Partitions: []int32{2, 0}, UntilOffset: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, test.flags.check())
			bounds, err := test.flags.bounds("orders", now)
			require.NoError(t, err)
			require.Equal(t, test.want, bounds)
		})
	}
}

// Its click table holds shoppers' clicks: nothing of it stays behind, unless somebody names a folder for it.
func TestReplayLeavesNoClicksBehind(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cleanUp, err := (&replayJob{replayCmd: &replayCmd{}}).ownClicks(&cfg)
	require.NoError(t, err)
	require.NotEqual(t, config.Default().Clicks.Dir, cfg.Clicks.Dir)
	require.NoError(t, os.MkdirAll(cfg.Clicks.Dir, 0o700))
	cleanUp()
	require.NoDirExists(t, filepath.Dir(cfg.Clicks.Dir))

	named := filepath.Join(t.TempDir(), "clicks")
	require.NoError(t, os.Mkdir(named, 0o700))
	cleanUp, err = (&replayJob{replayCmd: &replayCmd{ClicksDir: named}}).ownClicks(&cfg)
	require.NoError(t, err)
	require.Equal(t, named, cfg.Clicks.Dir)
	cleanUp()
	require.DirExists(t, named)
}
