package relay

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/consumer"
)

// held by an operator since noon, and seven orders at the stage cj.
type operatedAtNoon struct{ asked []string }

func (o *operatedAtNoon) HoldSending() consumer.Sending {
	o.asked = append(o.asked, "hold")
	return consumer.Sending{Held: time.Date(2026, 3, 27, 13, 0, 0, 0, time.FixedZone("", 3600)), Changed: true}
}

func (o *operatedAtNoon) ResumeSending() consumer.Sending {
	o.asked = append(o.asked, "resume")
	return consumer.Sending{}
}

func (o *operatedAtNoon) ReleaseHeld(stage string) (consumer.Held, error) {
	return o.held("release", stage)
}
func (o *operatedAtNoon) StopHeld(stage string) (consumer.Held, error) { return o.held("stop", stage) }

func (o *operatedAtNoon) held(what, stage string) (consumer.Held, error) {
	if stage != "cj" {
		return consumer.Held{}, &consumer.UnknownStageError{Stage: stage}
	}
	o.asked = append(o.asked, what)
	return consumer.Held{Orders: 7, Stopped: what == "stop"}, nil
}

func (o *operatedAtNoon) RedriveLetter(_ context.Context, partition, offset string) (Redrive, error) {
	o.asked = append(o.asked, "redrive "+partition+"/"+offset)
	return Redrive{Redriven: 1, To: &console.Place{Topic: "orders", Partition: 1, Offset: 2}}, nil
}

func (o *operatedAtNoon) RedriveReason(_ context.Context, reason string) (Redrive, error) {
	o.asked = append(o.asked, "redrive "+reason)
	return Redrive{Reason: reason, Redriven: 5, Refused: 1, Why: "so", Left: 2}, nil
}

func TestActionsDoWhatTheirNamesSay(t *testing.T) {
	t.Parallel()
	for path, test := range map[string]struct{ asked, answer string }{
		"sending/hold":                         {"hold", `{"sending":"held","since":"2026-03-27T12:00:00Z","changed":true}`},
		"sending/resume":                       {"resume", `{"sending":"on","changed":false}`},
		"held/{stage}/release":                 {"release", `{"stage":"cj","held":7,"stopped":false}`},
		"held/{stage}/stop":                    {"stop", `{"stage":"cj","held":7,"stopped":true}`},
		"letters/{partition}/{offset}/redrive": {"redrive 3/42", `{"redriven":1,"to":{"topic":"orders","partition":1,"offset":2},"refused":0,"left":0}`},
		"letters/redrive":                      {"redrive parked", `{"reason":"parked","redriven":5,"refused":1,"why":"so","left":2}`},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			o := &operatedAtNoon{}
			all := Actions(o)
			require.Len(t, all, 6)
			answer, err := all[path](t.Context(), func(name string) string {
				return map[string]string{"stage": "cj", "partition": "3", "offset": "42", "reason": "parked"}[name]
			})
			require.NoError(t, err)
			text, err := json.Marshal(answer)
			require.NoError(t, err)
			require.JSONEq(t, test.answer, string(text))
			require.Equal(t, []string{test.asked}, o.asked)
		})
	}
	t.Run("UnknownStage", func(t *testing.T) {
		t.Parallel()
		_, err := Actions(&operatedAtNoon{})["held/{stage}/stop"](t.Context(), func(string) string { return "CJ" })
		require.ErrorIs(t, err, console.ErrNoSuch)
		require.EqualError(t, err, `there is no such thing: stage "CJ": must be one of decode, partition, build, cj`)
	})
}
