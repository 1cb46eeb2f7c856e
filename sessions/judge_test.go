package sessions

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/schema"
)

// noon is when the orders of the tests were confirmed.
var noon = time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)

const window = 395 * 24 * time.Hour

func at(id string, before time.Duration) schema.Click {
	return schema.Click{ID: id, CapturedAt: noon.Add(-before)}
}

func put(click schema.Click) Change { return Change{Kind: Put, Click: click} }

var (
	erase = Change{Kind: Erase, At: noon}
	spoil = Change{Kind: Spoil}
)

func TestJudge(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		steps  []Change
		id     string
		reason schema.Reason
	}{
		"NothingKnown":                     {nil, "", schema.ReasonNoClick},
		"EarlierClickCounts":               {[]Change{put(at("a", time.Hour))}, "a", ""},
		"ClickAtTheExactTimeCounts":        {[]Change{put(at("a", 0))}, "a", ""},
		"OneNanosecondLaterIsAfter":        {[]Change{put(at("a", -1))}, "", schema.ReasonClickAfterOrder},
		"WindowEdgeIsInside":               {[]Change{put(at("a", window))}, "a", ""},
		"OneNanosecondOlderIsExpired":      {[]Change{put(at("a", window+1))}, "", schema.ReasonClickExpired},
		"LatestBeforeTheOrderCounts":       {[]Change{put(at("a", 2*time.Hour)), put(at("b", time.Hour)), put(at("c", -time.Hour))}, "b", ""},
		"ArrivalOrderDoesNotMatter":        {[]Change{put(at("c", -time.Hour)), put(at("b", time.Hour)), put(at("a", 2*time.Hour))}, "b", ""},
		"ExpiredAndLaterIsExpired":         {[]Change{put(at("a", window+1)), put(at("b", -1))}, "", schema.ReasonClickExpired},
		"TwoAtTheSameTimeLaterArrivalWins": {[]Change{put(at("a", time.Hour)), put(at("b", time.Hour))}, "b", ""},
		"DuplicateChangesNothing":          {[]Change{put(at("a", time.Hour)), put(at("a", time.Hour))}, "a", ""},
		"DuplicateDoesNotPassALaterOne":    {[]Change{put(at("a", time.Hour)), put(at("b", time.Hour)), put(at("a", time.Hour))}, "b", ""},
		"SameClickCaughtTwice":             {[]Change{put(at("a", 2*time.Hour)), put(at("a", time.Hour))}, "a", ""},
		"Erased":                           {[]Change{put(at("a", time.Hour)), erase}, "", schema.ReasonClickErased},
		"ErasedWithoutAClick":              {[]Change{erase}, "", schema.ReasonClickErased},
		"ErasedThenClickedAgain":           {[]Change{put(at("a", time.Hour)), erase, put(at("b", time.Minute))}, "b", ""},
		"ErasedThenTheSameClickAgain":      {[]Change{put(at("a", time.Hour)), erase, put(at("a", time.Hour))}, "a", ""},
		"ErasedThenClickedAfterTheOrder":   {[]Change{put(at("a", time.Hour)), erase, put(at("b", -time.Minute))}, "", schema.ReasonClickAfterOrder},
		"OnlySpoiled":                      {[]Change{spoil}, "", schema.ReasonClickInvalid},
		"SpoiledKeepsTheLastGoodOne":       {[]Change{put(at("a", time.Hour)), spoil}, "a", ""},
		"SpoiledAndOnlyALaterClick":        {[]Change{spoil, put(at("a", -time.Hour))}, "", schema.ReasonClickAfterOrder},
		"SpoiledThenErased":                {[]Change{spoil, erase}, "", schema.ReasonClickErased},
		"ErasedThenSpoiled":                {[]Change{put(at("a", time.Hour)), erase, spoil}, "", schema.ReasonClickInvalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var known lineages
			for _, change := range test.steps {
				known = known.apply(0, change)
			}
			click, reason := judge(known.history(), noon, window)
			require.Equal(t, test.id, click.ID)
			require.Equal(t, test.reason, reason)
		})
	}
}
