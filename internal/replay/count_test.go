package replay

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/schema"
)

func TestCountPutsEachOrderWhereItBelongs(t *testing.T) {
	t.Parallel()
	hash := func(text string) (raw [sha256.Size]byte, inHex string) {
		raw = sha256.Sum256([]byte(text))
		return raw, hex.EncodeToString(raw[:])
	}
	then, thenHex := hash("then")
	_, nowHex := hash("now")
	has := &history{latest: schema.Acknowledged, acknowledged: true, click: "c", query: then, group: "live"}
	done := &history{latest: schema.Acknowledged, acknowledged: true, click: "c", query: then, group: "replay"}
	ended := func(kind schema.Kind) *history { return &history{latest: kind} }
	sends := func(query string) verdict {
		return verdict{kind: schema.Acknowledged, reason: schema.ReasonJoined, query: query}
	}
	misses := verdict{kind: schema.Unattributed, reason: schema.ReasonNoClick}
	rejects := verdict{kind: schema.DeadLetter, reason: schema.ReasonFuture}
	type counts = map[schema.Reason]int64
	var usual, again, late, live = Mode{}, Mode{Again: true}, Mode{Unattributed: true}, Mode{Live: true}

	for name, test := range map[string]struct {
		mode         Mode
		before       *history
		anew, asSent verdict
		repeats      bool
		want         Tally
		does         bool
	}{
		"New":                        {mode: usual, anew: sends(nowHex), want: Tally{Send: counts{"joined": 1}}, does: true},
		"NewTwice":                   {mode: usual, anew: sends(nowHex), repeats: true, want: Tally{Repeated: 1}, does: true},
		"NewMiss":                    {mode: usual, anew: misses, want: Tally{Unattributed: counts{"no_click": 1}}, does: true},
		"NewReject":                  {mode: usual, anew: rejects, want: Tally{DeadLetters: counts{"future": 1}}, does: true},
		"StillAMiss":                 {mode: usual, before: ended(schema.Unattributed), anew: misses, want: Tally{Unattributed: counts{"no_click": 1}}},
		"StillRejected":              {mode: usual, before: ended(schema.DeadLetter), anew: rejects, want: Tally{DeadLetters: counts{"future": 1}}},
		"MissNoMore":                 {mode: usual, before: ended(schema.Unattributed), anew: sends(nowHex), want: Tally{Send: counts{"joined": 1}}, does: true},
		"RejectedNoMore":             {mode: usual, before: ended(schema.DeadLetter), anew: sends(nowHex), want: Tally{Send: counts{"joined": 1}, Waiting: 1}, does: true},
		"ParkedNoMore":               {mode: usual, before: ended(schema.Parked), anew: sends(nowHex), want: Tally{Send: counts{"joined": 1}, Waiting: 1}, does: true},
		"CJHasIt":                    {mode: usual, before: has, anew: sends(nowHex), want: Tally{Acknowledged: 1}},
		"CJHasItFromElsewhere":       {mode: usual, before: ended(schema.Duplicate), anew: sends(nowHex), want: Tally{Acknowledged: 1}},
		"Again":                      {mode: again, before: has, asSent: sends(thenHex), want: Tally{Again: 1}, does: true},
		"AgainButDifferent":          {mode: again, before: has, asSent: sends(nowHex), want: Tally{Changed: 1}},
		"AgainButUnbuildable":        {mode: again, before: has, asSent: rejects, want: Tally{Changed: 1}},
		"AgainWasDoneByThisReplay":   {mode: again, before: done, asSent: sends(thenHex), want: Tally{Acknowledged: 1}},
		"AgainWithoutItsClick":       {mode: again, before: ended(schema.Duplicate), asSent: sends(thenHex), want: Tally{Acknowledged: 1}},
		"AgainTakesInTheOthers":      {mode: again, before: ended(schema.Unattributed), anew: sends(nowHex), want: Tally{Send: counts{"joined": 1}}, does: true},
		"LateClick":                  {mode: late, before: ended(schema.Unattributed), anew: sends(nowHex), want: Tally{Send: counts{"joined": 1}}, does: true},
		"LateButCJHasIt":             {mode: late, before: has, anew: sends(nowHex), want: Tally{Acknowledged: 1}},
		"LateButRejected":            {mode: late, before: ended(schema.DeadLetter), anew: sends(nowHex), want: Tally{Other: 1}},
		"LateButUnknown":             {mode: late, anew: sends(nowHex), want: Tally{Other: 1}},
		"LateAndUnknownMiss":         {mode: late, anew: misses, want: Tally{Unattributed: counts{"no_click": 1}}},
		"LiveInTheSameWords":         {mode: live, before: has, anew: sends(thenHex), want: Tally{Again: 1}, does: true},
		"LiveInOtherWords":           {mode: live, before: has, anew: sends(nowHex), want: Tally{Changed: 1}, does: true},
		"LiveAcknowledgedNowNoClick": {mode: live, before: has, anew: misses, want: Tally{Changed: 1}, does: true},
		"LiveMiss":                   {mode: live, before: ended(schema.Unattributed), anew: misses, want: Tally{Unattributed: counts{"no_click": 1}}, does: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := newTally()
			does, err := (&Survey{Mode: test.mode}).count(got, test.before, "replay", func() (verdict, error) { return test.anew, nil },
				func() verdict { return test.asSent }, func() bool { return !test.repeats })
			require.NoError(t, err)
			want := newTally()
			test.want.Orders = 1
			want.add(&test.want)
			require.Equal(t, want, got)
			require.Equal(t, test.does, does)
		})
	}
}
