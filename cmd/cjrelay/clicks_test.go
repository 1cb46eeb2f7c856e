package main

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/schema"
)

var noon = time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)

// atNoon looks a session up for an order at noon.
func atNoon(file string, more ...string) []string {
	return append([]string{"clicks", "get", "--config", file, "--at", "2026-03-27T13:00:00+01:00"}, more...)
}

// nowhere is an address of this machine where nobody listens.
func nowhere(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// decoded is the JSON of an answer.
func decoded(t *testing.T, got result) console.SessionClicks {
	t.Helper()
	require.Equal(t, exitDone, got.code, got.err)
	var found console.SessionClicks
	require.NoError(t, json.Unmarshal([]byte(got.out), &found), got.out)
	return found
}

func TestClicksGet(t *testing.T) {
	s := newShop(t)
	listen := s.serve(t, "listen: '127.0.0.1:0'")
	file := s.configuration(t, "listen: '"+listen+"'")
	const year = 365 * 24 * time.Hour
	click := func(id string, before time.Duration) console.SessionClick {
		return console.SessionClick{CJEvent: id, CapturedAt: noon.Add(-before)}
	}
	cases := map[string]struct {
		records func(session string) []*kgo.Record
		clicks  []console.SessionClick
		erased  bool
		invalid bool
		verdict console.SessionVerdict
		text    string
	}{
		"hit": {
			func(id string) []*kgo.Record {
				return []*kgo.Record{s.click(id, "aa11", 50*time.Hour), s.click(id, "bb22", 90*time.Minute), s.click(id, "cc33", -time.Minute)}
			},
			[]console.SessionClick{click("aa11", 50*time.Hour), click("bb22", 90*time.Minute), click("cc33", -time.Minute)}, false, false,
			console.SessionVerdict{Outcome: schema.Acknowledged, Reason: schema.ReasonJoined, CJEvent: "bb22"},
			`CAPTURED AT               CLICK  WHEN
2026-03-25T10:00:00.000Z  aa11   2d2h before
2026-03-27T10:30:00.000Z  bb22   1h30m before, counts
2026-03-27T12:01:00.000Z  cc33   1m later

an order confirmed at 2026-03-27T12:00:00.000Z would be attributed: joined (with click bb22, 1h30m before)
`},
		"no_click": {
			func(string) []*kgo.Record { return nil }, []console.SessionClick{}, false, false,
			console.SessionVerdict{Outcome: schema.Unattributed, Reason: schema.ReasonNoClick},
			`no clicks

an order confirmed at 2026-03-27T12:00:00.000Z would be unattributed: no_click (the topic holds nothing of this session)
`},
		"click_after_order": {
			func(id string) []*kgo.Record { return []*kgo.Record{s.click(id, "aa11", -192*time.Second)} },
			[]console.SessionClick{click("aa11", -192*time.Second)}, false, false,
			console.SessionVerdict{Outcome: schema.Unattributed, Reason: schema.ReasonClickAfterOrder},
			`CAPTURED AT               CLICK  WHEN
2026-03-27T12:03:12.000Z  aa11   3m12s later

an order confirmed at 2026-03-27T12:00:00.000Z would be unattributed: click_after_order (the first click came 3m12s later)
`},
		"click_expired": {
			func(id string) []*kgo.Record { return []*kgo.Record{s.click(id, "aa11", 2*year)} },
			[]console.SessionClick{click("aa11", 2*year)}, false, false,
			console.SessionVerdict{Outcome: schema.Unattributed, Reason: schema.ReasonClickExpired},
			`CAPTURED AT               CLICK  WHEN
2024-03-27T12:00:00.000Z  aa11   730d before

an order confirmed at 2026-03-27T12:00:00.000Z would be unattributed: click_expired (the latest click came 730d before, which is more than clicks.window)
`},
		"click_erased": {
			func(id string) []*kgo.Record {
				return []*kgo.Record{s.click(id, "aa11", 2*time.Hour), s.click(id, "bb22", time.Hour), s.tombstone(id)}
			},
			[]console.SessionClick{}, true, false,
			console.SessionVerdict{Outcome: schema.Unattributed, Reason: schema.ReasonClickErased},
			`no clicks
erased: a tombstone removed what was there before it

an order confirmed at 2026-03-27T12:00:00.000Z would be unattributed: click_erased (a tombstone removed the session's clicks)
`},
		"click_invalid": {
			func(id string) []*kgo.Record { return []*kgo.Record{s.click(id, "no click!", time.Hour)} },
			[]console.SessionClick{}, false, true,
			console.SessionVerdict{Outcome: schema.Unattributed, Reason: schema.ReasonClickInvalid},
			`no clicks
invalid: at least one click cannot be read and was skipped

an order confirmed at 2026-03-27T12:00:00.000Z would be unattributed: click_invalid (no click of this session can be read)
`},
	}
	for session, test := range cases {
		if records := test.records(session); len(records) > 0 {
			s.kafka.Produce(t, records...)
		}
	}
	for session, test := range cases {
		for source, where := range map[string]string{
			console.SourceTable: "the click table of the process at " + listen, console.SourceTopic: "topic " + s.topics["clicks"],
		} {
			t.Run(session+"/"+source, func(t *testing.T) {
				t.Parallel()
				got := call(t, "", atNoon(file, "--from", source, "-o", "json", session)...)
				require.Equal(t, console.SessionClicks{
					Session: session, At: noon, Source: source, Clicks: test.clicks, Erased: test.erased, Invalid: test.invalid, Verdict: test.verdict,
				}, decoded(t, got))
				got = call(t, "", atNoon(file, "--from", source, session)...)
				require.Equal(t, exitDone, got.code)
				require.Equal(t, "session    "+session+"\nlooked in  "+where+"\n\n"+test.text, got.out)
				for _, id := range []string{"aa11", "bb22", "cc33", "no click!"} {
					require.NotContains(t, got.err, id)
				}
			})
		}
	}
}

func TestClicksGetShowsThatAnErasureIsDone(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	file := s.configuration(t, "listen: '"+s.serve(t, "listen: '127.0.0.1:0'")+"'")
	s.kafka.Produce(t, s.click("s-1", "aa11", 2*time.Hour), s.click("s-1", "bb22", time.Hour))
	for _, source := range []string{"table", "topic"} {
		require.Len(t, decoded(t, call(t, "", atNoon(file, "--from", source, "-o", "json", "s-1")...)).Clicks, 2)
	}
	s.kafka.Produce(t, s.tombstone("s-1"))
	for _, source := range []string{"table", "topic"} {
		got := call(t, "", atNoon(file, "--from", source, "-o", "json", "s-1")...)
		require.JSONEq(t, `{"session":"s-1","at":"2026-03-27T12:00:00Z","source":"`+source+`","clicks":[],"erased":true,"invalid":false,
			"verdict":{"outcome":"unattributed","reason":"click_erased"}}`, got.out)
	}
}

func TestClicksGetTakesAnySession(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	file := s.configuration(t, "listen: '"+s.serve(t, "listen: '127.0.0.1:0'")+"'")
	for n, test := range []struct{ session, shown string }{
		{"-dash", "-dash"},
		{"--from", "--from"},
		{"sé ss;i&o=n%zz+1", "sé ss;i&o=n%zz+1"},
		{"\x00\x1b[31m\xff", `"\x00\x1b[31m\xff"`},
		{"me@example.com", "me@example.com"},
	} {
		id := fmt.Sprintf("click%d", n)
		s.kafka.Produce(t, s.click(test.session, id, time.Hour))
		for _, source := range []string{"table", "topic"} {
			got := call(t, "", atNoon(file, "--from", source, "-o", "json", "--", test.session)...)
			require.Equal(t, id, decoded(t, got).Verdict.CJEvent, "%q", test.session)
			got = call(t, "", atNoon(file, "--from", source, "--", test.session)...)
			require.Contains(t, got.out, "session    "+test.shown+"\n")
		}
	}
}

func TestClicksGetReadsTheTopicWhereNoProcessRuns(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.kafka.Produce(t, s.click("s-1", "aa11", time.Hour))
	listen := nowhere(t)
	file := s.configuration(t, "listen: '"+listen+"'")
	got := call(t, "", atNoon(file, "-o", "json", "s-1")...)
	require.Equal(t, console.SourceTopic, decoded(t, got).Source)
	require.Contains(t, got.err, "no process runs at admin.listen "+listen)
	require.Contains(t, got.err, "reading topic "+s.topics["clicks"])

	got = call(t, "", atNoon(file, "--from", "table", "s-1")...)
	require.Equal(t, exitFailed, got.code)
	require.Empty(t, got.out)
	require.Contains(t, got.err, "no process runs at admin.listen "+listen)
	require.Contains(t, got.err, "--from topic")
	require.NotContains(t, got.err, "s-1")
}

func TestClicksGetAsksTheProcessFirst(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	file := s.configuration(t, "listen: '"+s.serve(t, "listen: '127.0.0.1:0'")+"'")
	got := call(t, "", atNoon(file, "-o", "json", "s-1")...)
	require.Equal(t, console.SourceTable, decoded(t, got).Source)
	require.Empty(t, got.err)
}

// Each table of a co-partitioned join knows the sessions of its own partitions.
func TestClicksGetOfACopartitionedJoin(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.join = "copartitioned"
	s.kafka.Produce(t, s.click("s-1", "aa11", time.Hour))
	files := []string{}
	for range 2 {
		files = append(files, s.configuration(t, "listen: '"+s.serve(t, "listen: '127.0.0.1:0'")+"'"))
	}
	// Until the group has settled, the session's partition may belong to neither of them, and move.
	for start := time.Now(); ; {
		sources := map[string]bool{}
		for _, file := range files {
			got := call(t, "", atNoon(file, "-o", "json", "s-1")...)
			found := decoded(t, got)
			require.Equal(t, "aa11", found.Verdict.CJEvent)
			sources[found.Source] = true
			require.Equal(t, found.Source == console.SourceTopic, strings.Contains(got.err, "is assigned to another instance"), got.err)
		}
		if sources[console.SourceTable] && sources[console.SourceTopic] {
			return
		}
		require.Less(t, time.Since(start), time.Minute, "never told by exactly one of two processes")
	}
}

func TestClicksGetReadsTheTopicForASessionOfAnotherProcess(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.kafka.Produce(t, s.click("s-1", "aa11", time.Hour))
	listen := answering(t, 421, "ask another process: partition 2\n")
	file := s.configuration(t, "listen: '"+listen+"'")
	got := call(t, "", atNoon(file, "-o", "json", "s-1")...)
	require.Equal(t, "aa11", decoded(t, got).Verdict.CJEvent)
	require.Contains(t, got.err, "the process at "+listen+" says: ask another process: partition 2; reading topic ")
	got = call(t, "", atNoon(file, "--from", "table", "s-1")...)
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "partition 2 (--from topic reads")
}

// Another answer than clicks is no answer, and no reason to look elsewhere unasked.
func TestClicksGetFailsWhereTheProcessCannotTell(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for name, test := range map[string]struct {
		status     int
		body, text string
	}{
		"TableInTrouble":   {503, "restoring clicks: 7 records to go (waited 5s)\n", "cannot tell: restoring clicks: 7 records to go (waited 5s)"},
		"NoClicksThere":    {404, "404 page not found\n", "has no click table"},
		"NotOurs":          {200, "<html>", "is not a cjrelay"},
		"OtherJSON":        {200, `{"status":"ok"}`, "is not a cjrelay"},
		"SomewhereElse":    {302, "", "answers with status 302"},
		"ANewerOneRefuses": {400, "session is missing\n", "cannot tell: session is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := s.configuration(t, "listen: '"+answering(t, test.status, test.body)+"'")
			got := call(t, "", atNoon(file, "s-1")...)
			require.Equal(t, exitFailed, got.code)
			require.Empty(t, got.out)
			require.Contains(t, got.err, test.text)
			require.Contains(t, got.err, "--from topic")
		})
	}
}

func TestClicksGetNeedsTheTokenOffLoopback(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	const right, wrong = "0123456789abcdef", "fedcba9876543210"
	listen := s.serve(t, "listen: '0.0.0.0:0', token: "+right)
	for name, test := range map[string]struct {
		admin string
		code  int
	}{
		"RightToken": {"token: " + right, exitDone},
		"WrongToken": {"token: " + wrong, exitFailed},
		"NoToken":    {"token: ''", exitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			got := call(t, "", atNoon(s.configuration(t, "listen: '"+listen+"', "+test.admin), "s-1")...)
			require.Equal(t, test.code, got.code, got.err)
			if test.code != exitDone {
				require.Contains(t, got.err, "refuses our admin token")
			}
			require.NotContains(t, got.out+got.err, right)
			require.NotContains(t, got.out+got.err, wrong)
		})
	}
}

func TestClicksGetIsForNowWithoutATime(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.kafka.Produce(t, s.click("s-1", "aa11", time.Hour))
	before := time.Now()
	found := decoded(t, call(t, "", "clicks", "get", "--config", s.configuration(t, "listen: '127.0.0.1:9'"), "--from", "topic", "-o", "json", "s-1"))
	require.False(t, found.At.Before(before))
	require.False(t, found.At.After(time.Now()))
}

func TestClicksGetRefuses(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	file := s.configuration(t, "listen: '"+nowhere(t)+"'")
	for name, test := range map[string]struct {
		args []string
		code int
		text string
	}{
		"NoSession":        {[]string{"clicks", "get", "--config", file}, exitUsage, "<session>"},
		"EmptySession":     {atNoon(file, ""), exitUsage, "SESSION is empty"},
		"TwoSessions":      {atNoon(file, "s-1", "s-2"), exitUsage, "unexpected argument"},
		"BadTime":          {atNoon(file, "--at", "yesterday", "s-1"), exitUsage, `--at "yesterday": must be RFC 3339 with a zone`},
		"EmptyTime":        {atNoon(file, "--at", "", "s-1"), exitUsage, `--at "": must be RFC 3339`},
		"BadPlace":         {atNoon(file, "--from", "cache", "s-1"), exitUsage, "--from"},
		"BadForm":          {atNoon(file, "-o", "xml", "s-1"), exitUsage, "--output"},
		"NoConfiguration":  {atNoon("no-such-file.yaml", "s-1"), exitUsage, "no-such-file.yaml"},
		"TopicIsNotThere":  {atNoon(s.without(t, "clicks"), "s-1"), exitFailed, "does not exist: make it with `cjrelay topics`"},
		"NoSuchVerbBeside": {[]string{"clicks", "put", "s-1"}, exitUsage, "put"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := call(t, "", test.args...)
			require.Equal(t, test.code, got.code, got.err)
			require.Empty(t, got.out)
			require.Contains(t, got.err, test.text)
		})
	}
}
