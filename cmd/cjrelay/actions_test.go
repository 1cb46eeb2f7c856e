package main

import (
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

func TestActionsDoWhatTheirNamesSay(t *testing.T) {
	t.Parallel()
	for path, test := range map[string]struct{ asked, answer string }{
		"sending/hold":         {"hold", `{"sending":"held","since":"2026-03-27T12:00:00Z","changed":true}`},
		"sending/resume":       {"resume", `{"sending":"on","changed":false}`},
		"held/{stage}/release": {"release", `{"stage":"cj","held":7,"stopped":false}`},
		"held/{stage}/stop":    {"stop", `{"stage":"cj","held":7,"stopped":true}`},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			o := &operatedAtNoon{}
			all := actions(o)
			require.Len(t, all, 4)
			answer, err := all[path](func(string) string { return "cj" })
			require.NoError(t, err)
			text, err := json.Marshal(answer)
			require.NoError(t, err)
			require.JSONEq(t, test.answer, string(text))
			require.Equal(t, []string{test.asked}, o.asked)
		})
	}
	t.Run("UnknownStage", func(t *testing.T) {
		t.Parallel()
		_, err := actions(&operatedAtNoon{})["held/{stage}/stop"](func(string) string { return "CJ" })
		require.ErrorIs(t, err, console.ErrNoSuch)
		require.EqualError(t, err, `there is no such thing: stage "CJ": must be one of decode, partition, build, cj`)
	})
}
