package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/schema"
	"github.com/cjrelay/cjrelay/sessions"
)

// Clicks is what the console asks for a session's clicks: see console.Config.
func (r *Relay) Clicks(ctx context.Context, session string, at time.Time) (console.SessionClicks, error) {
	found, err := r.Look(ctx, session, at)
	if errors.Is(err, sessions.ErrElsewhere) {
		err = fmt.Errorf("%w: %w", console.ErrElsewhere, err)
	}
	return ShownClicks(session, at, console.SourceTable, found), err
}

// ShownClicks is what was found of a session as people are shown it.
func ShownClicks(session string, at time.Time, source string, found sessions.Finding) console.SessionClicks {
	shown := console.SessionClicks{
		Session: session, At: at, Source: source, Clicks: []console.SessionClick{}, Erased: found.Erased, Invalid: found.Spoiled,
		Verdict: console.SessionVerdict{Outcome: schema.Unattributed, Reason: found.Reason},
	}
	if found.Reason == "" {
		shown.Verdict = console.SessionVerdict{Outcome: schema.Acknowledged, Reason: schema.ReasonJoined, CJEvent: found.Click.ID}
	}
	for _, click := range found.Clicks {
		shown.Clicks = append(shown.Clicks, console.SessionClick{CJEvent: click.ID, CapturedAt: click.CapturedAt.UTC()})
	}
	return shown
}
