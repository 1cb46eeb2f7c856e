package consumer

import (
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/breaker"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/postback"
)

// A start that goes well warns of nothing, though the group has to be joined first. One that does not is said.
func TestLogSaysWhatKeepsAStartFromBeingReadyOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		r := b.start(t)
		time.Sleep(2 * lasting)
		r.halt(t)
		require.Equal(t, 1, b.log.count("msg=ready\n"))
		require.Zero(t, b.log.count("level=WARN"), b.log.String())

		fault := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Group: b.config.Group, Err: kerr.CoordinatorLoadInProgress, Count: -1})
		r = b.start(t)
		time.Sleep(lasting + 2*sampleEvery)
		require.Equal(t, 1, b.log.count(`msg="not ready" check=group`))
		fault.Remove()
		time.Sleep(time.Minute)
		require.Equal(t, 1, b.log.count(`msg="ready again" check=group`))
		r.halt(t)
	})
}

// A check that goes on failing is told of again when it fails for another cause, and not each time that a number moves.
func TestLogSaysWhenTheCauseIsAnotherOne(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	t.Cleanup(b.table.Close)
	c := New(b.config)
	start := time.Now()
	said := func(after time.Duration, cause string) int {
		c.stopped[0] = errors.New(cause)
		c.logReadiness(start, start.Add(after))
		return b.log.count(`msg="not ready" check=offsets`)
	}
	require.Equal(t, 1, said(lasting, "offset 5 is beyond the end"))
	require.Equal(t, 1, said(lasting+2*causeEvery, "offset 6 is beyond the end"))
	require.Equal(t, 2, said(lasting+2*causeEvery, "the topic was made anew"))
	require.Equal(t, 2, said(lasting+3*causeEvery-time.Second, "offset 7 is beyond the end"), "too soon")
	require.Equal(t, 3, said(lasting+3*causeEvery, "offset 7 is beyond the end"))
	delete(c.stopped, 0)
	c.logReadiness(start, start.Add(time.Hour))
	require.Equal(t, 1, b.log.count(`msg="ready again" check=offsets`))
	require.Equal(t, 4, said(time.Hour+time.Second, "offset 7 is beyond the end"), "it is news again")
}

// Each trouble is said, when it has lasted, by the check of its name alone.
func TestEveryTroubleIsACheck(t *testing.T) {
	t.Parallel()
	lasted := func(trouble *condition) { trouble.err, trouble.since = errAway, time.Now().Add(-lasting) }
	troubles := map[string]func(c *Consumer){
		"kafka":        func(c *Consumer) { lasted(&c.health.kafka) },
		"group":        func(c *Consumer) { lasted(&c.health.group) },
		"registry":     func(c *Consumer) { lasted(&c.health.registry) },
		"endpoint":     func(c *Consumer) { lasted(&c.health.endpoint) },
		"outcomes":     func(c *Consumer) { lasted(&c.health.outcomes) },
		"dead_letters": func(c *Consumer) { lasted(&c.health.deadLetters) },
		"commits":      func(c *Consumer) { lasted(&c.health.commits) },
		"sending":      func(c *Consumer) { c.HoldSending() },
		"offsets":      func(c *Consumer) { c.stopped[0] = errAway },
		"progress":     func(c *Consumer) { c.stalled = 1 },
	}
	for _, at := range stages {
		troubles[string(at)] = func(c *Consumer) {
			for i := range c.config.MassSamples {
				c.rules[at].rejected(&suspect{key: strconv.Itoa(i), again: func() {}, goes: func() {}}, errAway)
			}
			c.rules[at].stop() // or its timer would outlive the test
		}
	}
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, kafkatest.StartFake(t), 1)
			c := New(b.config)
			c.member.Store(true)
			trouble(c)
			require.Error(t, c.check(t, "clicks"), "nobody reads them here")
			for _, check := range c.Ready() {
				if check.Name != "clicks" {
					require.Equal(t, check.Name == name, check.Err != nil, "%s: %v", check.Name, check.Err)
				}
			}
			b.table.Close()
		})
	}
}

// A wrong endpoint or set-up is said when it lasts. That CJ is down as well does not mend it; an answer about an order does.
func TestWrongSetupTurnsUnreadyAndOpensTheCircuitOnFake(t *testing.T) {
	t.Parallel()
	for name, mended := range map[string]postback.Answer{"Acknowledged": acknowledged, "Rejected": rejected} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setupVirtual(t, 1)
				b.config.Breaker = breaker.New(breaker.Config{ConsecutiveOrders: 5, Open: 5 * time.Second})
				b.cj.always(wrongSetup)
				b.confirm(t, 0, b.pastOrders(10)...)
				r := b.start(t)
				b.awaitState(t, breaker.Open)
				require.NoError(t, r.check(t, "endpoint"), "it may be over in a moment")
				time.Sleep(2 * lasting)
				require.ErrorContains(t, r.check(t, "endpoint"), "404 Not Found")
				b.cj.always(unavailable)
				time.Sleep(time.Minute)
				require.ErrorContains(t, r.check(t, "endpoint"), "404 Not Found")
				require.Empty(t, b.Read(t, b.config.DeadLetterTopic))
				b.cj.always(mended)
				time.Sleep(time.Minute)
				require.NoError(t, r.check(t, "endpoint"))
				r.halt(t)
			})
		})
	}
}

// The client's last word of a trouble may be read after the trouble has ended, and no order comes to show that.
func TestTroubleWithTheGroupFadesOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		r := b.start(t)
		eventually(t, func() bool { return r.partitions() == 1 }, "no partition")
		r.health.group.trouble(errAway)
		time.Sleep(groupFades / 2)
		require.ErrorIs(t, r.health.group.current(), errAway)
		time.Sleep(groupFades/2 + 2*sampleEvery)
		require.NoError(t, r.health.group.current())
		r.halt(t)
	})
}

// What the client goes on telling does not fade, however quiet the topic is.
func TestTroubleWithTheGroupThatStaysIsSaidOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		r := b.start(t)
		eventually(t, func() bool { return r.partitions() == 1 }, "no partition")
		b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: b.config.Topic, Err: kerr.TopicAuthorizationFailed, Count: -1})
		time.Sleep(3 * lasting)
		require.ErrorIs(t, r.check(t, "group"), kerr.TopicAuthorizationFailed)
		r.halt(t)
	})
}
