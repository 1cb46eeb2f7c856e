//go:build synctests

package sim

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cjrelay/cjrelay/breaker"
	"github.com/cjrelay/cjrelay/cjtest"
)

// Run plays a scenario in a bubble of its own, and fails the test with everything that the checks find, and how to
// play it again.
func Run(t *testing.T, o Options) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, o)
		again := fmt.Sprintf("run it again with: go test -tags synctests ./internal/sim -run '^%s$' -seed %d -count 1\n%v", t.Name(), o.Seed, o)
		played := false
		defer func() {
			if !played {
				t.Log(again)
			}
		}()
		summary := w.play()
		played = true
		for _, wrong := range w.findings.all() {
			t.Errorf("seed %d: %s", o.Seed, wrong)
		}
		if !t.Failed() {
			t.Log(summary)
			return
		}
		t.Log(again)
		for _, u := range w.all() {
			if err := u.keep(t.ArtifactDir()); err != nil {
				t.Log(err)
			}
		}
	})
}

// play is a run from its history to the ledger, and returns what happened in a line.
func (w *world) play() string {
	defer w.close()
	shop := w.openShop()
	defer shop.close()
	errands := shop.errands(w.shoppers)
	w.began = time.Now().Add(10 * time.Second)

	past := 0
	for past < len(errands) && errands[past].at < 0 {
		w.sleep(context.Background(), errands[past].at)
		errands[past].do()
		past++
	}
	if w.options.Compaction {
		w.compact()
	}

	// The safety phase.
	w.cj.Script(append(w.answers(), append(w.options.CJ, cjtest.Rule{Latency: w.options.Latency})...)...)
	w.sleep(context.Background(), 0)
	for range w.options.Relays {
		w.start()
	}
	probing, stopProbing := context.WithCancel(context.Background())
	probed := make(chan struct{})
	go func() {
		defer close(probed)
		w.probe(probing)
	}()
	failing, heal := context.WithCancel(context.Background())
	healed := make(chan struct{})
	go func() {
		defer close(healed)
		w.faults(failing)
	}()
	for past < len(errands) && errands[past].at < w.options.Over {
		w.sleep(context.Background(), errands[past].at)
		errands[past].do()
		past++
	}
	w.sleep(context.Background(), w.options.Over)

	// The liveness phase: nothing fails any more.
	heal()
	<-healed
	w.cj.Script(append(w.answers(), cjtest.Rule{Latency: w.options.Latency})...)
	if len(w.running()) == 0 {
		w.start()
	}
	for _, e := range errands[past:] {
		w.sleep(context.Background(), e.at)
		e.do()
	}
	quiet := time.Now()
	w.awaitSettled(quiet.Add(w.options.Liveness()))
	took := time.Since(quiet)
	stopProbing()
	<-probed
	w.stopAll()
	w.startOnce()
	return w.audit() + fmt.Sprintf("; quiet after %v of %v", took.Round(time.Millisecond), w.options.Liveness())
}

// answers are the rules that belong to single orders. They come before all others.
func (w *world) answers() []cjtest.Rule {
	var text strings.Builder
	for _, s := range w.shoppers {
		if s.answers != "" {
			fmt.Fprintf(&text, "order=%s %s\n", s.id, s.answers)
		}
	}
	rules, err := cjtest.ParseScript(text.String())
	if err != nil {
		panic(err)
	}
	return rules
}

// compact makes holes in the history: orders that were written again under their key are gone.
func (w *world) compact() {
	w.kafka.Compact()
	there := map[place]bool{}
	for _, r := range w.read(w.config.Orders.Topic) {
		there[place{r.Partition, r.Offset}] = true
	}
	for _, s := range w.shoppers {
		s.produced = s.produced && there[s.place]
	}
}

// awaitSettled waits until every order has a committed outcome and the relays have nothing left to say.
func (w *world) awaitSettled(deadline time.Time) {
	for {
		unsettled := w.unsettled()
		if unsettled == "" {
			return
		}
		if time.Now().After(deadline) {
			w.found(liveness, "not settled %v after the last fault: %s", w.options.Liveness(), unsettled)
			w.askWhy()
			return
		}
		time.Sleep(250 * time.Millisecond)
	}
}

// selfCheck is how long the relay may take to notice that it does not progress.
const selfCheck = 150 * time.Second

// askWhy demands that relays that do not progress say so themselves: in readiness, in a metric, or by a reason to pause.
func (w *world) askWhy() {
	time.Sleep(selfCheck)
	for _, u := range w.running() {
		if len(u.notReady()) > 0 || u.gauge("cjrelay_paused") > 0 || u.gauge("cjrelay_work_lag")+u.gauge("cjrelay_commit_lag") == 0 {
			continue
		}
		w.found(liveness, "%s does not progress, and neither its readiness nor its stall probe nor a pause says so", u.name)
	}
}

// unsettled says what is left to do, nothing when all is done.
func (w *world) unsettled() string {
	w.watch.look()
	for partition, end := range w.ends(w.config.Orders.Topic) {
		if at := w.watch.committed(partition); at != end {
			return fmt.Sprintf("partition %d is committed up to %d of %d", partition, at, end)
		}
	}
	for _, u := range w.running() {
		if failing := u.notReady(); len(failing) > 0 {
			return fmt.Sprintf("%s is not ready: %s", u.name, strings.Join(failing, "; "))
		}
		// Half-open is as far as a circuit gets that no order closes.
		if u.Breaker() == breaker.Open {
			return u.name + " has an open circuit"
		}
		for _, gauge := range []string{"cjrelay_paused", "cjrelay_pending_orders", "cjrelay_work_lag", "cjrelay_commit_lag"} {
			if value := u.gauge(gauge); value != 0 {
				return fmt.Sprintf("%s has %s of %v", u.name, gauge, value)
			}
		}
	}
	return ""
}
