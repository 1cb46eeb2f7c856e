package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/internal/letters"
	"github.com/cjrelay/cjrelay/schema"
)

// Letters are the dead letters of all processes. Its error has no order's bytes in it.
func (r *Relay) Letters(ctx context.Context, asked console.AskedLetters) (console.Letters, error) {
	list, err := r.desk.index.List(ctx, letters.Question{Reason: asked.Reason, Part: asked.Part, Redriven: asked.Redriven, Limit: asked.Limit})
	if err != nil {
		return console.Letters{}, r.desk.explain(err)
	}
	shown := console.Letters{
		Topic: r.config.DeadLetter.Topic, Letters: []console.Letter{}, Waiting: list.Waiting, Stuck: list.Stuck,
		Redriven: list.Redriven, Foreign: list.Foreign, Unnamed: list.Unnamed, Unread: list.Unread, Passed: list.Passed,
	}
	for _, letter := range list.Letters {
		shown.Letters = append(shown.Letters, r.shownLetter(letter))
	}
	return shown, nil
}

func (r *Relay) shownLetter(l letters.Letter) console.Letter {
	shown := console.Letter{
		Letter: console.Place(l.Place), Order: console.Place(l.Order), OrderID: l.OrderID, Reason: l.Reason, Error: l.Error,
		Attempts: l.Attempts, Status: l.Status, At: l.At.UTC(), Redrives: l.Redrives, Waits: l.Redriven == nil,
	}
	if strings.ContainsRune(l.OrderID, '@') {
		shown.OrderID = schema.Hidden(l.OrderID, nil)
	}
	if l.Redriven != nil {
		shown.Redriven = &console.Redriven{To: console.Place(l.Redriven.To), At: l.Redriven.At.UTC()}
	} else if _, refused := letters.Sort([]letters.Letter{l}, r.config.Orders.Topic, false); len(refused) > 0 {
		shown.Stuck = refused[0].Why
	}
	return shown
}

// explain says what to do about an error of Kafka's.
func (d *desk) explain(err error) error {
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("dead_letter.topic %q does not exist: make it with `cjrelay topics`", d.config.DeadLetter.Topic)
	}
	return err
}

// Redrive is what became of letters that an operator wants to be sent again. Its JSON is the answer of the actions on
// letters: fields may be added to it.
type Redrive struct {
	// Reason is empty for a single letter.
	Reason string `json:"reason,omitempty"`
	// Redriven is how many were sent again, and To where the order of a single one went.
	Redriven int            `json:"redriven"`
	To       *console.Place `json:"to,omitempty"`
	// Refused is how many turned out not to be sent, Why the first of them was not.
	Refused int    `json:"refused"`
	Why     string `json:"why,omitempty"`
	// Left is how many of the reason still wait that may be sent.
	Left int `json:"left"`
	// Trouble is what ended it before its end.
	Trouble string `json:"trouble,omitempty"`
}

// LogValue implements slog.LogValuer.
func (r Redrive) LogValue() slog.Value {
	attrs := []slog.Attr{slog.Int("redriven", r.Redriven), slog.Int("refused", r.Refused), slog.Int("left", r.Left)}
	if r.Reason != "" {
		attrs = append(attrs, slog.String("reason", r.Reason))
	}
	if r.To != nil {
		attrs = append(attrs, slog.String("to", letters.Place(*r.To).String()))
	}
	if r.Trouble != "" {
		attrs = append(attrs, slog.String("trouble", r.Trouble))
	}
	return slog.GroupValue(attrs...)
}

// RedriveLetter sends one letter again. It ends with ctx, and the work by itself soon after.
func (r *Relay) RedriveLetter(ctx context.Context, partition, offset string) (Redrive, error) {
	place, ok := letters.ParsePlace(partition+"/"+offset, r.config.DeadLetter.Topic)
	if !ok {
		return Redrive{}, fmt.Errorf("%w: partition and offset of a letter must be two numbers: /actions/letters/PARTITION/OFFSET/redrive", console.ErrMisasked)
	}
	return r.desk.once(ctx, func(ctx context.Context) (Redrive, error) {
		gone, refused, err := r.desk.send(ctx, []letters.Letter{{Place: place}})
		switch {
		case len(gone) > 0:
			to := console.Place(gone[0].Redriven.To)
			return Redrive{Redriven: 1, To: &to}, nil
		case err != nil:
			return Redrive{}, err
		case refused[0].Letter.Reason == "":
			return Redrive{}, fmt.Errorf("%w: no letter is at %s; retention may have taken it", console.ErrNoSuch, place)
		}
		return Redrive{}, fmt.Errorf("%w: %s %s", console.ErrConflict, refused[0].Letter, refused[0].Why)
	})
}

// redriveMost is how many letters one action sends again: it has to keep them all in memory.
const redriveMost = 10_000

// RedriveReason sends all letters of a reason again that wait and may be sent, oldest first, as many as there is time for.
func (r *Relay) RedriveReason(ctx context.Context, reason string) (Redrive, error) {
	if reason == "" {
		return Redrive{}, fmt.Errorf("%w: reason is missing: /actions/letters/redrive?reason=REASON", console.ErrMisasked)
	}
	return r.desk.once(ctx, func(ctx context.Context) (Redrive, error) {
		chosen, all, err := r.desk.index.Waiting(ctx, reason, redriveMost)
		switch {
		case err != nil:
			return Redrive{}, err
		case all == 0:
			return Redrive{}, fmt.Errorf("%w: no letter with the reason %s waits that can be sent again as it is", console.ErrNoSuch, schema.Quoted(reason))
		}
		gone, refused, err := r.desk.send(ctx, chosen)
		if len(gone) == 0 && err != nil {
			return Redrive{}, err
		}
		answer := Redrive{Reason: reason, Redriven: len(gone), Refused: len(refused), Left: all - len(gone) - len(refused)}
		if len(refused) > 0 {
			answer.Why = fmt.Sprintf("%s %s", refused[0].Letter, refused[0].Why)
		}
		if err != nil {
			answer.Trouble = err.Error()
		}
		return answer, nil
	})
}

// sendTime is how long letters are sent before the rest is left to the next action. What has begun then takes a little
// more.
const sendTime = 15 * time.Second

// send sends letters again.
func (d *desk) send(ctx context.Context, chosen []letters.Letter) (gone []letters.Letter, refused []letters.Refused, err error) {
	client, err := kgo.NewClient(d.kafka...)
	if err != nil {
		return nil, nil, fmt.Errorf("kafka: %w", err)
	}
	home, err := Home(ctx, client, d.config, d.decode)
	client.Close()
	if err != nil {
		return nil, nil, err
	}
	redriver := letters.Redriver{Client: d.kafka, DeadLetters: d.config.DeadLetter.Topic, Orders: d.config.Orders.Topic, Version: d.version, Home: home}
	return redriver.Run(ctx, slices.Clone(chosen))
}

// once does one piece of work at a time, since a second run would end the first. It waits for it as long as ctx lets
// it; the work goes on then, for what is in the middle of a transaction must not be dropped because a page was closed.
func (d *desk) once(ctx context.Context, work func(context.Context) (Redrive, error)) (Redrive, error) {
	select {
	case d.busy <- struct{}{}:
	default:
		return Redrive{}, fmt.Errorf("%w: letters are being sent again already: wait until that has ended", console.ErrConflict)
	}
	type result struct {
		answer Redrive
		err    error
	}
	done := make(chan result, 1)
	go func() {
		working, cancel := context.WithTimeoutCause(d.open, sendTime, errSendTime)
		defer cancel()
		answer, err := work(working)
		if err != nil && working.Err() != nil {
			err = fmt.Errorf("%w (%w)", context.Cause(working), err)
		}
		d.index.Stale(ctx)
		if ctx.Err() != nil {
			d.log.Warn("what an operator asked for has ended, later than its request", "answer", answer, "error", err)
		}
		<-d.busy // whoever has the answer may ask for more
		done <- result{answer, err}
	}()
	select {
	case r := <-done:
		switch {
		case errors.Is(r.err, letters.ErrFenced):
			return r.answer, fmt.Errorf("%w: %w", console.ErrConflict, r.err)
		case r.err != nil:
			return r.answer, d.explain(r.err)
		}
		return r.answer, nil
	case <-ctx.Done():
		return Redrive{}, errors.New("the brokers take long: it goes on, and the letters will show what was sent again")
	}
}

var errSendTime = fmt.Errorf("was not done within %s: ask again, or run `cjrelay dlq redrive`, which takes its time", sendTime)
