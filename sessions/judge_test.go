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

// step is one record of the click topic as the store sees it.
type step func(Store)

func put(click schema.Click) step { return func(s Store) { s.Put("s", click) } }
func erase(s Store)               { s.Erase("s") }
func spoil(s Store)               { s.Spoil("s") }

func TestJudge(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		steps  []step
		id     string
		reason schema.Reason
	}{
		"NothingKnown":                     {nil, "", schema.ReasonNoClick},
		"EarlierClickCounts":               {[]step{put(at("a", time.Hour))}, "a", ""},
		"ClickAtTheExactTimeCounts":        {[]step{put(at("a", 0))}, "a", ""},
		"OneNanosecondLaterIsAfter":        {[]step{put(at("a", -1))}, "", schema.ReasonClickAfterOrder},
		"WindowEdgeIsInside":               {[]step{put(at("a", window))}, "a", ""},
		"OneNanosecondOlderIsExpired":      {[]step{put(at("a", window+1))}, "", schema.ReasonClickExpired},
		"LatestBeforeTheOrderCounts":       {[]step{put(at("a", 2*time.Hour)), put(at("b", time.Hour)), put(at("c", -time.Hour))}, "b", ""},
		"ArrivalOrderDoesNotMatter":        {[]step{put(at("c", -time.Hour)), put(at("b", time.Hour)), put(at("a", 2*time.Hour))}, "b", ""},
		"ExpiredAndLaterIsExpired":         {[]step{put(at("a", window+1)), put(at("b", -1))}, "", schema.ReasonClickExpired},
		"TwoAtTheSameTimeLaterArrivalWins": {[]step{put(at("a", time.Hour)), put(at("b", time.Hour))}, "b", ""},
		"DuplicateChangesNothing":          {[]step{put(at("a", time.Hour)), put(at("a", time.Hour))}, "a", ""},
		"DuplicateDoesNotPassALaterOne":    {[]step{put(at("a", time.Hour)), put(at("b", time.Hour)), put(at("a", time.Hour))}, "b", ""},
		"SameClickCaughtTwice":             {[]step{put(at("a", 2*time.Hour)), put(at("a", time.Hour))}, "a", ""},
		"Erased":                           {[]step{put(at("a", time.Hour)), erase}, "", schema.ReasonClickErased},
		"ErasedWithoutAClick":              {[]step{erase}, "", schema.ReasonClickErased},
		"ErasedThenClickedAgain":           {[]step{put(at("a", time.Hour)), erase, put(at("b", time.Minute))}, "b", ""},
		"ErasedThenTheSameClickAgain":      {[]step{put(at("a", time.Hour)), erase, put(at("a", time.Hour))}, "a", ""},
		"ErasedThenClickedAfterTheOrder":   {[]step{put(at("a", time.Hour)), erase, put(at("b", -time.Minute))}, "", schema.ReasonClickAfterOrder},
		"OnlySpoiled":                      {[]step{spoil}, "", schema.ReasonClickInvalid},
		"SpoiledKeepsTheLastGoodOne":       {[]step{put(at("a", time.Hour)), spoil}, "a", ""},
		"SpoiledAndOnlyALaterClick":        {[]step{spoil, put(at("a", -time.Hour))}, "", schema.ReasonClickAfterOrder},
		"SpoiledThenErased":                {[]step{spoil, erase}, "", schema.ReasonClickErased},
		"ErasedThenSpoiled":                {[]step{put(at("a", time.Hour)), erase, spoil}, "", schema.ReasonClickInvalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := NewMemory()
			for _, apply := range test.steps {
				apply(store)
			}
			click, reason := judge(store.History("s"), noon, window)
			require.Equal(t, test.id, click.ID)
			require.Equal(t, test.reason, reason)
		})
	}
}
