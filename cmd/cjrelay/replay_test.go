package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/internal/extent"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/internal/replay"
	"github.com/cjrelay/cjrelay/schema"
)

// replays calls `cjrelay replay` and reads its report.
func (m *merchant) replays(t *testing.T, args ...string) replayReport {
	t.Helper()
	var report replayReport
	got := m.verb(t, exitDone, append([]string{"replay", "-o", "json"}, args...)...)
	require.NoError(t, json.Unmarshal([]byte(got.out), &report))
	return report
}

// done lets a relay do what is there, and stops it.
func (m *merchant) done(t *testing.T, outcomes int) {
	t.Helper()
	stop := m.run(t)
	m.outcomes(t, outcomes)
	stop()
}

// stands is where a group is in partition 0, -1 when it has no offset.
func (m *merchant) stands(t *testing.T, group string) int64 {
	t.Helper()
	offsets, err := m.kafka.Admin.FetchOffsets(t.Context(), group)
	if err != nil {
		return -1
	}
	if at, ok := offsets.Lookup(m.orders, 0); ok {
		return at.At
	}
	return -1
}

// A shop's history: what CJ has, what had no click, what CJ rejected, and what nobody can read.
func history(t *testing.T, partitions int32) *merchant {
	t.Helper()
	m := newMerchant(t, partitions)
	m.click(t, "click1", "click2", "click3")
	m.cj.Script(cjtest.Rule{Order: "ORD-3", Status: 400})
	m.confirm(t, 0, m.order("ORD-1", "click1"), m.order("ORD-2", "late2"), m.order("ORD-3", "click3"), "{", m.order("ORD-4", "never"), m.order("ORD-5", "click2"))
	m.done(t, 6)
	m.cj.Script()
	return m
}

func TestReplayTellsWhatItWouldDo(t *testing.T) {
	t.Parallel()
	m := history(t, 2)
	m.click(t, "late2")
	report := m.replays(t, "--to-earliest")
	require.Equal(t, &replay.Tally{Orders: 6, ToDo: 2, Acknowledged: 2, Waiting: 1,
		Send: map[schema.Reason]int64{"joined": 2}, Unattributed: map[schema.Reason]int64{"no_click": 1}, DeadLetters: map[schema.Reason]int64{"malformed": 1}}, report.Total)
	require.Len(t, report.Partitions, 1)
	require.EqualValues(t, 0, report.Partitions[0].From)
	require.EqualValues(t, 6, report.Partitions[0].Until)
	require.Equal(t, m.cj.Count(), 3, "a dry run sends nothing")
	m.outcomes(t, 6)

	text := m.verb(t, exitDone, "replay", "--to-earliest").out
	require.Equal(t, `  PARTITION  FROM  UNTIL  ORDERS  SEND  AGAIN  LEFT  UNATTRIBUTED  DEAD LETTERS
          0     0      6       6     2      0     2             1             1
      total                    6     2      0     2             1             1

       2  to send for the first time (2 joined)
       1  of them wait in the dead-letter topic, too: do not redrive these letters as well
       2  left as they are: CJ has acknowledged them
       1  without a click (1 no_click)
       1  that cannot be sent (1 malformed)
nothing was sent: say --execute to send
`, text)
}

func TestReplayDoesWhatItTold(t *testing.T) {
	t.Parallel()
	m := history(t, 1)
	// A static member would stay in the replay's group when it has left, and keep the group from being removed.
	m.edit(t, "session_timeout: 6s", "session_timeout: 6s, instance_id: pod-1")
	m.click(t, "late2")
	live := m.stands(t, m.orders)
	report := m.replays(t, "--to-earliest", "--execute")
	require.True(t, report.Done)
	require.Equal(t, replay.Result{schema.Acknowledged: {schema.ReasonJoined: 2}}, report.Result)
	require.True(t, m.cj.Acknowledged("ORD-1", "ORD-2", "ORD-3", "ORD-5"))
	for _, outcome := range m.outcomes(t, 8)[6:] {
		require.Equal(t, report.Group, outcome.Group)
		require.Contains(t, []string{"ORD-2", "ORD-3"}, outcome.OrderID)
	}
	require.Equal(t, 5, m.cj.Count())
	require.Equal(t, live, m.stands(t, m.orders), "the live group stands where it was")
	groups, err := m.kafka.Admin.ListGroups(t.Context())
	require.NoError(t, err)
	require.NotContains(t, groups.Groups(), report.Group)
	require.NotContains(t, groups.Groups(), report.Group+".end")

	report = m.replays(t, "--to-earliest", "--execute")
	require.Empty(t, report.Result)
	require.Equal(t, 5, m.cj.Count())
	m.outcomes(t, 8)
}

// A click that comes late is found by a second look, and its order is sent once.
func TestReplayOfTheUnattributedSendsLateClicksOnce(t *testing.T) {
	t.Parallel()
	m := history(t, 2)
	report := m.replays(t, "--unattributed", "--execute")
	require.Zero(t, report.Total.ToDo)
	require.EqualValues(t, 1, report.Total.Other, "what CJ rejected is not what was asked for")
	m.click(t, "late2")
	report = m.replays(t, "--unattributed", "--execute")
	require.Equal(t, replay.Result{schema.Acknowledged: {schema.ReasonJoined: 1}}, report.Result)
	require.True(t, m.cj.Acknowledged("ORD-2"))
	report = m.replays(t, "--unattributed", "--execute")
	require.Zero(t, report.Total.ToDo)
	require.Len(t, m.cj.ReceivedOf("ORD-2"), 1)
	m.outcomes(t, 7)
	// The replay's group is gone with its offsets.
	require.Regexp(t, `group \S+\.replay\.\S+, which has no offset there`, m.verb(t, exitDone, "explain", "ORD-2").out)
}

// An order that was acknowledged keeps its click, whatever has come since, and is sent byte for byte as it was.
func TestReplayAgainKeepsTheClick(t *testing.T) {
	t.Parallel()
	m := history(t, 1)
	// A later click of the same session, which would count for the order if it were joined anew.
	record := m.clickRecord("click1", "another")
	record.Timestamp = m.confirmed.Add(-1)
	m.kafka.Produce(t, record)
	report := m.replays(t, "--to-earliest", "--until-offset", "1", "--again")
	require.EqualValues(t, 1, report.Total.Again)
	report = m.replays(t, "--to-earliest", "--until-offset", "1", "--again", "--execute")
	require.Equal(t, replay.Result{schema.Acknowledged: {schema.ReasonJoined: 1}}, report.Result)
	received := m.cj.ReceivedOf("ORD-1")
	require.Len(t, received, 2)
	require.Equal(t, received[0].Query, received[1].Query)
	require.Equal(t, "click1", received[1].ClickID)

	// Set back, the live group joins anew: the survey says so.
	report = m.replays(t, "--to-earliest", "--live-group")
	require.EqualValues(t, 1, report.Total.Changed)
	require.EqualValues(t, 1, report.Total.Again)
}

// What an interrupted replay has sent again already it does not send again when it goes on.
func TestReplayAgainGoesOnBehindWhatItHasSent(t *testing.T) {
	t.Parallel()
	m := history(t, 1)
	group := replay.GroupOf(m.orders, "night")
	plan := replay.Plan{Topic: m.orders, Ranges: map[int32]extent.Range{0: {From: 0, To: 6}}}
	require.NoError(t, replay.Keep(t.Context(), m.kafka.Admin, group, plan, replay.Mode{Again: true}))
	require.EqualValues(t, 2, m.replays(t, "--resume", "night").Total.Again)
	for _, outcome := range m.outcomes(t, 6) {
		if outcome.OrderID != "ORD-1" {
			continue
		}
		outcome.Group = group
		value, err := outcome.MarshalJSON()
		require.NoError(t, err)
		m.kafka.Produce(t, &kgo.Record{Topic: m.results, Key: []byte(outcome.Key()), Value: value})
	}
	total := m.replays(t, "--resume", "night").Total
	require.EqualValues(t, 1, total.Again)
	require.EqualValues(t, 1, total.Acknowledged)
}

func TestReplayOfTheLiveGroupSetsItBack(t *testing.T) {
	t.Parallel()
	m := history(t, 2)
	m.click(t, "late2")
	stop := m.run(t)
	m.confirm(t, 0, m.order("ORD-6", "never"))
	m.outcomes(t, 7)
	got := m.verb(t, exitFailed, "replay", "--shift-by=-6", "--live-group", "--execute")
	require.Contains(t, got.err, "has 1 members: stop every `cjrelay run`")
	stop()

	require.Equal(t, "nothing was set back: say --execute to set group "+m.orders+" back", lastLine(m.verb(t, exitDone, "replay", "--shift-by", "-6", "--live-group").out))
	require.EqualValues(t, 7, m.stands(t, m.orders))
	report := m.replays(t, "--shift-by=-6", "--live-group", "--execute")
	require.True(t, report.Executed)
	require.Equal(t, m.orders, report.Group)
	require.EqualValues(t, 1, m.stands(t, m.orders))
	m.done(t, 13)
	require.True(t, m.cj.Acknowledged("ORD-2", "ORD-3"))
	require.Len(t, m.cj.ReceivedOf("ORD-1"), 1, "it lies before")
	require.Len(t, m.cj.ReceivedOf("ORD-5"), 2)
	require.EqualValues(t, 7, m.stands(t, m.orders))
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// What lies behind the live group it sends itself: a replay must not send it too.
func TestReplayEndsWhereTheLiveGroupStands(t *testing.T) {
	t.Parallel()
	m := history(t, 2)
	m.click(t, "late2")
	m.confirm(t, 0, m.order("ORD-6", "click1"))
	m.confirm(t, 1, m.order("ORD-7", "click1"))
	report := m.replays(t, "--to-earliest", "--execute")
	require.Equal(t, []int32{0, 1}, report.Capped)
	require.EqualValues(t, 6, report.Total.Orders)
	require.Empty(t, m.cj.ReceivedOf("ORD-6"))
	m.done(t, 10)
	require.Len(t, m.cj.ReceivedOf("ORD-6"), 1)
}

// It goes on where it was interrupted, with the ends that it had, and sends nothing twice.
func TestReplayGoesOnAfterAnInterruption(t *testing.T) {
	t.Parallel()
	const n = 300
	m := newMerchant(t, 3)
	// Orders that no relay has seen: the live group begins behind them.
	offsets := kadm.Offsets{}
	for partition := range int32(3) {
		values := make([]string, n/3)
		for i := range values {
			values[i] = m.order(fmt.Sprintf("ORD-%d-%d", partition, i), "click1")
		}
		m.confirmAll(t, partition, values...)
		offsets.AddOffset(m.orders, partition, int64(len(values)), -1)
	}
	require.NoError(t, m.kafka.Admin.CommitAllOffsets(t.Context(), m.orders, offsets))
	m.click(t, "click1")
	m.cj.Script(cjtest.Rule{Latency: cjtest.Fixed(2_000_000)})

	command := program(t, "replay", "--to-offset", "0", "--name", "night", "--rate", "100", "--execute", "--config", m.file)
	var out, err safeBuffer
	command.Stdout, command.Stderr = &out, &err
	require.NoError(t, command.Start())
	m.awaitRequests(t, 20)
	require.NoError(t, command.Process.Signal(os.Interrupt))
	require.Error(t, command.Wait())
	require.Equal(t, exitFailed, command.ProcessState.ExitCode())
	require.Contains(t, err.String(), "go on with `cjrelay replay --resume night --execute`")
	first := m.cj.Count()
	require.Less(t, first, n)

	m.confirmAll(t, 0, m.order("LATER", "click1"))
	got := m.verb(t, exitFailed, "replay", "--to-offset", "0", "--name", "night", "--execute")
	require.Contains(t, got.err, "is not done yet: go on with --resume night")
	got = m.verb(t, exitFailed, "replay", "--resume", "day")
	require.Contains(t, got.err, `no replay "day" is under way; there are night`)

	dry := m.replays(t, "--resume", "night")
	require.EqualValues(t, n-first, dry.Total.ToDo)
	report := m.replays(t, "--resume", "night", "--execute")
	require.True(t, report.Done)
	require.Equal(t, n, m.cj.Count())
	require.Zero(t, m.cj.Summary().Duplicates)
	require.Contains(t, m.verb(t, exitFailed, "replay", "--resume", "night").err, "and no other")
}

// Killed, not stopped, it may send once more what was in flight, and nothing else.
func TestReplayGoesOnAfterADeath(t *testing.T) {
	t.Parallel()
	const n = 200
	m := newMerchant(t, 1)
	values := make([]string, n)
	for i := range values {
		values[i] = m.order(fmt.Sprint("ORD-", i), "click1")
	}
	m.confirmAll(t, 0, values...)
	m.click(t, "click1")
	command := program(t, "replay", "--to-earliest", "--name", "night", "--rate", "100", "--execute", "--config", m.file)
	command.Env = append(command.Env, "TMPDIR="+t.TempDir()) // it cannot tidy up
	require.NoError(t, command.Start())
	m.awaitRequests(t, 20)
	require.NoError(t, command.Process.Kill())
	_ = command.Wait()
	report := m.replays(t, "--resume", "night", "--execute")
	require.True(t, report.Done)
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint("ORD-", i)
	}
	require.True(t, m.cj.Acknowledged(ids...))
	require.LessOrEqual(t, m.cj.Summary().Duplicates, 64, "what was in flight")
	require.NoFileExists(t, filepath.Join(filepath.Dir(m.file), "clicks"), "the live table's folder is not touched")
}

func TestReplayMistakes(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, 2)
	csv := filepath.Join(t.TempDir(), "offsets.csv")
	require.NoError(t, os.WriteFile(csv, []byte("other,0,1\n"), 0o600))
	for name, test := range map[string]struct {
		code int
		args []string
		text string
	}{
		"NoBeginning":       {exitUsage, nil, "where to begin?"},
		"TwoBeginnings":     {exitUsage, []string{"--to-earliest", "--by-duration", "P1D"}, "can't be used together"},
		"ExecuteADryRun":    {exitUsage, []string{"--to-earliest", "--dry-run", "--execute"}, "can't be used together"},
		"BadTime":           {exitUsage, []string{"--to-datetime", "yesterday"}, `--to-datetime "yesterday": must be like`},
		"BadDuration":       {exitUsage, []string{"--by-duration", "1 day"}, `--by-duration "1 day": must be like`},
		"BadEnd":            {exitUsage, []string{"--to-earliest", "--until-datetime", "noon"}, "--until-datetime"},
		"NegativeOffset":    {exitUsage, []string{"--to-offset=-1"}, "must be 0 or more"},
		"NegativeEnd":       {exitUsage, []string{"--to-earliest", "--until-offset=-1"}, "must be 0 or more"},
		"NegativeRate":      {exitUsage, []string{"--to-earliest", "--rate=-1"}, "--rate: "},
		"ResumeWithMore":    {exitUsage, []string{"--resume", "x", "--again"}, "say no other"},
		"ResumeMisses":      {exitUsage, []string{"--resume", "x", "--unattributed"}, "say no other"},
		"ResumeLive":        {exitUsage, []string{"--resume", "x", "--live-group"}, "say no other"},
		"ResumeAndName":     {exitUsage, []string{"--resume", "x", "--name", "y"}, "say no other"},
		"ResumeAPart":       {exitUsage, []string{"--resume", "x", "--partitions", "0"}, "say no other"},
		"ResumeUntilATime":  {exitUsage, []string{"--resume", "x", "--until-datetime", "2026-03-27T00:00:00"}, "say no other"},
		"ResumeUntilThere":  {exitUsage, []string{"--resume", "x", "--until-offset", "3"}, "say no other"},
		"ResumeABadName":    {exitUsage, []string{"--resume", "a b"}, "--resume \"a b\": must be letters"},
		"LiveAndAgain":      {exitUsage, []string{"--to-earliest", "--live-group", "--again"}, "only sets offsets back"},
		"LiveAndMisses":     {exitUsage, []string{"--to-earliest", "--live-group", "--unattributed"}, "only sets offsets back"},
		"LiveWithAName":     {exitUsage, []string{"--to-earliest", "--live-group", "--name", "x"}, "only sets offsets back"},
		"LiveWithARate":     {exitUsage, []string{"--to-earliest", "--live-group", "--rate", "1"}, "only sets offsets back"},
		"LiveWithAnEnd":     {exitUsage, []string{"--to-earliest", "--live-group", "--until-offset", "3"}, "has no end"},
		"LiveWithALastTime": {exitUsage, []string{"--to-earliest", "--live-group", "--until-datetime", "2026-03-27T00:00:00"}, "has no end"},
		"AgainAndMisses":    {exitUsage, []string{"--again", "--unattributed"}, "say one of them"},
		"BadShift":          {exitUsage, []string{"--shift-by", "--live-group"}, "must be a whole number"},
		"BadName":           {exitUsage, []string{"--to-earliest", "--name", "a b"}, "must be letters"},
		"NoFile":            {exitUsage, []string{"--from-file", "no-such-file"}, "no-such-file"},
		"FileOfAnother":     {exitUsage, []string{"--from-file", csv}, "is not orders.topic"},
		"NoSuchPartition":   {exitFailed, []string{"--to-earliest", "--partitions", "0,7"}, "has no partition 7: it has 2"},
		"NothingCommitted":  {exitFailed, []string{"--shift-by", "-5"}, "nothing to shift from"},
		"LiveWithoutOffset": {exitFailed, []string{"--to-earliest", "--live-group"}, "has no offsets yet"},
		"TheLiveTable":      {exitUsage, []string{"--to-earliest", "--clicks-dir", filepath.Join(filepath.Dir(m.file), "clicks")}, "name another folder"},
		"NothingToDo":       {exitDone, []string{"--to-earliest", "--execute"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, m.verb(t, test.code, append([]string{"replay"}, test.args...)...).err, test.text)
		})
	}
	t.Run("NoTopic", func(t *testing.T) {
		t.Parallel()
		text, err := os.ReadFile(m.file)
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), "cjrelay.yaml")
		require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "topic: "+m.orders, "topic: "+kafkatest.Name("missing"))), 0o600))
		got := call(t, "", "replay", "--to-earliest", "--config", file)
		require.Equal(t, exitFailed, got.code)
		require.Contains(t, got.err, "does not exist")
	})
}
